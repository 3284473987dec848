import { stockClientSuite } from "./stock-clients.ts";

/**
 * The oldest client of the current protocol runs the whole suite, and the other clients only connect; the release tests
 * run everything.
 */
stockClientSuite({ thorough: ["3.1"] });
