import { spread } from "./spread.ts";

const { SessionObject: Base, app } = spread(4);

export class SessionObject extends Base {}
export default app;
