/**
 * Names the program at a port in use, where it is a gateway of this user.
 */
import { Effect, Predicate } from "effect"
import { StartError } from "../Errors.js"
import * as RunningGateways from "../state/RunningGateways.js"
import type { StateFolder } from "../state/StateFolder.js"
import type { Options } from "./Listener.js"

const isInUse = ({ cause }: StartError): boolean => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

/** Lets the error of a listener say which gateway listens there. */
export const named =
  ({ host, port }: Pick<Options, "host" | "port">) =>
  <A, R>(listen: Effect.Effect<A, StartError, R>): Effect.Effect<A, StartError, R | StateFolder> =>
    Effect.catchIf(listen, isInUse, (error) =>
      Effect.flatMap(RunningGateways.at(host, port), (gateway) => {
        if (gateway === undefined) return Effect.fail(error)
        const { config, pid, url } = gateway
        const message = `port ${port} on ${host} is in use by your own gateway (pid ${pid}, ${config ?? "the demo"}); `
          + `see it with mcp-lifeline status --url ${url}, stop it, or give another port with --port (0 for any)`
        return Effect.fail(new StartError({ message, cause: error.cause }))
      }))
