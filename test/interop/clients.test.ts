import { stockClientSuite } from "./stock-clients.ts";

/**
 * The oldest client of today's protocol shows everything, and the others that they connect; the release tests have all.
 */
stockClientSuite({ thorough: ["3.1"] });
