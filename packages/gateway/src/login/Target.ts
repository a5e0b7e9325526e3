import type { Connector } from "@mcp-lifeline/core"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { type Authorization, HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Either } from "effect"
import { dirname, resolve } from "node:path"
import * as Backends from "../config/Backends.js"
import * as Configuration from "../config/Configuration.js"
import * as McpJson from "../config/McpJson.js"
import * as Problem from "../document/Problem.js"
import { StartError, UsageError } from "../text/Errors.js"

/** A server over HTTP. */
export interface Target {
  readonly url: string
  /** Fails if the configuration of the server is invalid. */
  readonly connector: (authorization: Authorization) => Effect.Effect<Connector, StartError>
}

const isAddress = (text: string): boolean => /^https?:\/\//i.test(text)

const ofUrl = (url: string): Target => ({
  url,
  connector: (authorization) =>
    Effect.try({
      try: () => HttpConnector.make({ url, authorization, protocol: "auto" }),
      catch: (cause) => new StartError({ message: cause instanceof Error ? cause.message : String(cause) })
    })
})

const ofName = (name: string, file: string): Effect.Effect<Target, StartError> =>
  Effect.gen(function*() {
    const content = yield* Configuration.read(file, " with --config")
    const { entries, problems } = yield* Either.mapLeft(
      McpJson.parse(file, content, process.env),
      ({ problem }) => new StartError({ message: Problem.show(problem) })
    )
    const entry = entries.find((one) => one.name === name)
    if (entry === undefined) {
      const problem = problems.find(({ key }) => key.includes(name))
      const there = entries.map((one) => one.name).join(", ")
      return yield* new StartError({
        message: problem === undefined
          ? `${file}: there is no server ${name}; there ${there === "" ? "is none" : `are: ${there}`}`
          : Problem.show(problem)
      })
    }
    const { server } = entry
    if (server._tag === "Stdio") {
      return yield* new StartError({
        message: `${file}: Lifeline starts ${name} as a process; such a server needs no login`
      })
    }
    return {
      url: server.url,
      connector: (authorization) =>
        Either.mapLeft(
          Backends.connectorOf(entry, dirname(resolve(file)), authorization),
          ([{ message, path }]) => new StartError({ message: Problem.show(entry.problem(path, message)) })
        )
    }
  })

export const find = (text: string, config: string | undefined): Effect.Effect<Target, StartError | UsageError> => {
  if (isAddress(text)) {
    return parseUrl(text) !== undefined
      ? Effect.succeed(ofUrl(text))
      : Effect.fail(new UsageError({ message: `${text} is not an address; write https://HOST/PATH` }))
  }
  return config === undefined
    ? Effect.fail(
      new UsageError({ message: `${text} is not an address; for the name of a server give its file with --config` })
    )
    : ofName(text, config)
}

/** As stored logins have it: without credentials, query and fragment. */
export const storedUrl = (url: string): string => {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
