import { noiseSuite } from "./noise.ts";

noiseSuite(20_000);
