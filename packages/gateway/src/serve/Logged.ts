/**
 * A log message of a server as clients are given it: `logger` begins with the server's name. Pure.
 */
import type { ServerNotification } from "@mcp-lifeline/core"
import { Predicate } from "effect"
import { isReadable } from "./readable.js"

/** Makes it once for all who are given it; what is nested too deeply nobody is given. */
export const of = (
  server: string,
  { method, params }: ServerNotification,
  give: (notification: ServerNotification) => void
): void => {
  if (!isReadable(params)) return
  const logger = Predicate.isString(params?.["logger"]) ? `${server}/${params["logger"]}` : server
  give({ method, params: { ...params, logger } })
}
