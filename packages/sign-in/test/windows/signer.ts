/** Run by Node.js for Windows: `signer.cjs URL FOLDER FILE [ROOT]`. ROOT is Windows for whoever opens a browser. */
import { Backend } from "@mcp-lifeline/core"
import * as Browser from "@mcp-lifeline/sign-in/Browser"
import * as SignIn from "@mcp-lifeline/sign-in/SignIn"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { HttpConnector } from "@mcp-lifeline/transport-http"
import { Effect, Stream } from "effect"
import { appendFileSync } from "node:fs"

const [url = "", folder = "", output = "", root] = process.argv.slice(2)
const print = (value: unknown) => Effect.sync(() => appendFileSync(output, `${JSON.stringify(value)}\n`))

// The test waits for its end, also if nobody logs in.
setTimeout(() => process.exit(1), 240_000)

const main = Effect.gen(function*() {
  const browser = root === undefined ? undefined : Browser.system({ SystemRoot: root })
  const signIn = yield* SignIn.make({ url, loginWait: "100 millis", browser })
  yield* signIn.changes.pipe(Stream.runForEach(print), Effect.forkScoped)
  const backend = yield* Backend.make("docs", {
    connector: HttpConnector.make({ url, authorization: signIn.authorization })
  })
  yield* SignIn.reconnectWhenDone(signIn, backend)
  yield* backend.status.changes.pipe(Stream.filter(({ state }) => state === "Connected"), Stream.runHead)
  yield* backend.callTool({ name: "ask", arguments: {} })
  yield* print({ called: true })
})

void Effect.runPromise(Effect.scoped(Effect.provide(main, StateFolder.layerAt(folder)))).catch((error: unknown) =>
  appendFileSync(output, `${JSON.stringify({ error: String(error) })}\n`)
).then(() => process.exit())
