import { stockClientSuite } from "./stock-clients.ts";

stockClientSuite({ thorough: ["4.0", "4.5"] });

stockClientSuite({ thorough: ["4.0", "4.5"], shards: 3 });

stockClientSuite({ thorough: ["3.1"], shards: 3, interruption: "asleep" });
