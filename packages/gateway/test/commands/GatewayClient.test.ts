import * as SealedId from "@mcp-lifeline/http-server/SealedId"
import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Duration, Effect } from "effect"
import { createServer, type RequestListener } from "node:http"
import { folder } from "../../../testing/test/support/folder.js"
import { listening } from "../../../testing/test/support/listening.js"
import * as GatewayClient from "../../src/commands/GatewayClient.js"
import * as Proof from "../../src/instances/Proof.js"
import * as RunningGateways from "../../src/instances/RunningGateways.js"
import { describe, expect, it, test } from "../support/vitest.js"

const secret = SealedId.randomSecret()

const registered = Effect.fnUntraced(function*(startedAt: number, config: string, inCluster?: boolean) {
  const url = yield* listening(createServer(({ url = "" }, response) => void response.end(Proof.answer(secret, url))))
  yield* RunningGateways.register({ url, config, inCluster, startedAt, token: null, secret })
  return url
})

const inOwnFolder = Effect.provideServiceEffect(
  StateFolder.StateFolder,
  Effect.map(folder, (path) => StateFolder.make(path))
)

const told = (config?: string, url?: string) =>
  Effect.flip(Effect.flatMap(GatewayClient.find({ config, url }), ({ status }) => status)).pipe(
    Effect.map(({ message }) => message)
  )

describe("which gateway a command asks", () => {
  it.scopedLive("[G1 D8] of the replicas of one file it asks the one that runs for longest, of other gateways one is to be chosen", () =>
    Effect.gen(function*() {
      const url = yield* registered(1, "/team.json", true)
      yield* registered(2, "/team.json", true)
      expect(yield* told()).toContain(`${url} does not answer like`)
      expect(yield* told("/team.json")).toContain(`${url} does not answer like`)

      yield* registered(3, "/mine.json")
      expect(yield* told()).toContain("choose one with --url or --config")
      yield* registered(4, "/mine.json")
      expect(yield* told("/team.json")).toContain(`${url} does not answer like`)
      expect(yield* told("/mine.json")).toMatch(/choose one with --url$/)
    }).pipe(inOwnFolder))
})

describe("what a command says of an address that answers with HTTP 403", () => {
  const toldBy = (listener: RequestListener) =>
    Effect.flatMap(listening(createServer(listener)), (url) => told(undefined, url)).pipe(inOwnFolder)

  for (const body of ["<html>", "", "{}", "[]", "null", '{"error":{}}', '{"error":{"message":1}}']) {
    test.scopedLive(`[G1:unit] it is no gateway where the body is ${body === "" ? "empty" : body}`, function*() {
      expect(yield* toldBy((_, response) => void response.writeHead(403).end(body)))
        .toMatch(/^http:\S+: it answers with HTTP 403, .* check that it is a gateway$/)
    })
  }

  test.scopedLive("[G1:unit] the gateway's own reason is said", function*() {
    const body = JSON.stringify({ error: { message: "only an admin may see this" } })
    expect(yield* toldBy((_, response) => void response.writeHead(403).end(body))).toBe("only an admin may see this")
  })

  test.scopedLive("[G1:unit] a body without an end is read for 2 s and no longer", function*() {
    const endless: RequestListener = (_, response) => void response.writeHead(403).write('{"error":{"message":"and so ')
    const [took, said] = yield* Effect.timed(toldBy(endless))
    expect(said).toContain("it answers with HTTP 403, ")
    expect(Duration.toMillis(took)).toBeGreaterThan(1900)
  })

  test.scopedLive("[G1:unit] a body that is too large is not read to its end", function*() {
    let written = 0
    const said = yield* toldBy((_, response) => {
      response.writeHead(403).on("error", () => undefined)
      const write = (): void => {
        while (!response.destroyed && response.write("x".repeat(4096))) written += 4096
      }
      response.on("drain", write)
      write()
    })
    expect(said).toContain("it answers with HTTP 403, ")
    // What is on its way is in buffers of the sockets.
    expect(written).toBeLessThan(64 * 1024 * 1024)
  })
})
