import { spread } from "./spread.ts";

const { SessionObject: Base, app } = spread(2);

export class SessionObject extends Base {}
export default app;
