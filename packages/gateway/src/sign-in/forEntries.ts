/**
 * Makes the sign-ins for the servers of a file.
 */
import type { Browser } from "@mcp-lifeline/sign-in/Browser"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import type { StateFolder } from "@mcp-lifeline/state/StateFolder"
import { Effect, Either } from "effect"
import type { Scope } from "effect"
import type { Entry } from "../config/McpJson.js"
import { optionNames } from "./optionNames.js"

/** Makes a sign-in for each HTTP server without credentials in the configuration. Returns them by the names of the servers. */
export const forEntries = (
  entries: ReadonlyArray<Entry>,
  browser: Browser | undefined
): Effect.Effect<ReadonlyMap<string, SignIn.SignIn>, never, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const signIns = new Map<string, SignIn.SignIn>()
    for (const { name, server } of entries) {
      if (
        server._tag === "Stdio" ||
        Object.keys({ ...server.headers, ...server.fromClient }).some((header) =>
          header.toLowerCase() === "authorization"
        )
      ) continue
      const { password, username } = Either.getOrElse(
        Either.try(() => new URL(server.url)),
        () => ({ password: "?", username: "" })
      )
      if (username + password !== "") continue
      signIns.set(name, yield* SignIn.make({ url: server.url, browser, optionNames }))
    }
    return signIns
  })
