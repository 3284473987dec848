import { stockClientSuite } from "./stock-clients.ts";

stockClientSuite({ thorough: ["4.0", "4.5"] });
