/**
 * How it is told that a port cannot be had: the program at a port in use is named, where it is a gateway of this user.
 */
import type { Options } from "@mcp-lifeline/http-server/Listener"
import type { ListenError } from "@mcp-lifeline/http-server/ListenError"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Predicate } from "effect"
import { StartError } from "../Errors.js"
import * as RunningGateways from "../running/RunningGateways.js"

const isInUse = ({ cause }: ListenError): boolean => Predicate.hasProperty(cause, "code") && cause.code === "EADDRINUSE"

/** Makes the error of a listener one of the command, which says which gateway listens there. */
export const named =
  ({ host, port }: Pick<Options, "host" | "port">) =>
  <A, R>(listen: Effect.Effect<A, ListenError, R>): Effect.Effect<A, StartError, R | StateFolder> =>
    Effect.catchAll(listen, (error) =>
      Effect.gen(function*() {
        const gateway = isInUse(error) ? yield* RunningGateways.at(host, port) : undefined
        if (gateway === undefined) return yield* new StartError({ message: error.message, cause: error.cause })
        const { config, pid, url } = gateway
        const message = `port ${port} on ${host} is in use by your own gateway (pid ${pid}, ${config ?? "the demo"}); `
          + `see it with mcp-lifeline status --url ${url}, stop it, or give another port with --port (0 for any)`
        return yield* new StartError({ message, cause: error.cause })
      }))
