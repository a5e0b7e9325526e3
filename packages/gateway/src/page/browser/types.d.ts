/** What the API says, as the gateway itself has it. */
import type { Tool } from "../../http-api/Api.js"
import type { GatewayStatus, Replica, Runtime, Server, StatusUpdate } from "../../http-api/GatewayStatus.js"
import type { Entry } from "../../log/EventLog.js"

export type Events = ReadonlyArray<Entry>
export type { Entry as GatewayEvent, GatewayStatus as Status, Replica, Runtime, Server, StatusUpdate, Tool }
