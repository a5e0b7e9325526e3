import { Redacted } from "effect"
import { createHmac } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import * as Https from "node:https"
import { type AddressInfo, connect } from "node:net"
import { allDerived, type ClusterKey } from "../../src/ClusterKey.js"
import type { Replica } from "../../src/ClusterStore.js"
import * as ReplicaRequests from "../../src/hop/ReplicaRequests.js"
import * as RequestProof from "../../src/hop/RequestProof.js"
import { path } from "../../src/PeerAnswers.js"

export const key: ClusterKey = Redacted.make("the key of all replicas of this cluster")
export const otherKey: ClusterKey = Redacted.make("the key of another cluster, as long as ")

const pem = (name: string) =>
  readFileSync(new URL(`../../../transport-http/test/fixtures/tls/${name}.pem`, import.meta.url), "utf8")

export const certificate = pem("cert")

const open: Array<Server> = []

const start = async (scheme: string, server: Server): Promise<string> => {
  open.push(server)
  await once(server.listen(0, "127.0.0.1"), "listening")
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export const listen = (listener: RequestListener, options = {}): Promise<string> =>
  start("http", createServer(options, listener))

export const listenSecurely = (listener: RequestListener): Promise<string> =>
  start("https", Https.createServer({ cert: certificate, key: pem("key") }, listener))

export const servers: ReadonlyArray<Server> = open

export const closeAll = (): void => {
  for (const server of open.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
}

export const replica = (address: string, id = "b"): Replica => ({
  id,
  address,
  renewals: 7,
  witnesses: [],
  hasEnded: false
})

/** A question of the replica `a`; without what is `undefined`. */
export const question = (changed: Readonly<Record<string, string | number | undefined>> = {}): string => {
  const fields = Object.entries({ ask: "promise", about: "a", renewals: 3, ...changed })
  const given = fields.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]]
  )
  return `${path}?${new URLSearchParams(given).toString()}`
}

/** An HTTP request. Headers that are `undefined` are left out. */
export const request = (
  target: string,
  { body = "", headers = {}, method = "POST", to = "b" }: {
    readonly body?: string | Uint8Array
    readonly headers?: Record<string, string | undefined>
    readonly method?: string
    readonly to?: string
  } = {}
): Buffer => {
  const bytes = Buffer.from(body)
  const all = {
    Host: "127.0.0.1",
    "Content-Length": String(bytes.length),
    [RequestProof.header]: proofOf(target, { method, to, body: bytes }),
    ...headers
  }
  const lines = Object.entries(all).flatMap(([name, value]) => value === undefined ? [] : [`${name}: ${value}`])
  return Buffer.concat([
    Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1"),
    bytes
  ])
}

/** Sends bytes, and then nothing more; resolves with what came back when the connection has ended. */
export const exchange = (address: string, bytes: Uint8Array): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    const socket = connect(Number(new URL(address).port), "127.0.0.1", () => socket.end(bytes))
    socket.setEncoding("latin1")
    socket.on("data", (data: string) => {
      text += data
    })
    // `close` follows an error, too.
    socket.on("error", () => undefined)
    socket.on("close", () => resolve(text))
  })

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)

export interface Signed {
  readonly method?: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly key?: ClusterKey
  readonly purpose?: ReplicaRequests.Purpose
  /** How much later it is at the sender, in milliseconds. */
  readonly later?: number
}

export const signedFor = (
  to: string,
  { body = "", headers = {}, key: ownKey = key, later = 0, method = "POST", purpose, target }: Signed
): Readonly<Record<string, string>> => {
  const now = () => Date.now() + later
  const requests = ReplicaRequests.make({ keys: ownKey, own: () => undefined, failed: () => {}, purpose, now })
  const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return { ...named, ...requests.sign(to, { method, target, headers: named, body: Buffer.from(body) }).headers }
}

/** The replica of an id, whose clock is an hour fast, and which gives the requests that it admits to a test. */
export const withFastClock = (
  id: string,
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void
): Promise<string> => {
  const now = () => Date.now() + 3_600_000
  const requests = ReplicaRequests.make({ keys: key, own: () => id, failed: () => {}, now })
  return listen((request, response) =>
    requests.admit(request, response, (admitted) => {
      let body = ""
      admitted.on("data", (chunk: Buffer) => {
        body += chunk.toString()
      })
      admitted.on("end", () => answer(request, response, body))
    })
  )
}

/** Of a question. */
export const proofOf = (
  target: string,
  { to = "b", ...others }: Partial<Signed> & { readonly to?: string } = {}
): string => signedFor(to, { target, purpose: "peer", ...others })[RequestProof.header] ?? ""

/** As the replica `b` signs its answer to a request. */
export const signatureOf = (
  request: Pick<IncomingMessage, "headers">,
  answer: string,
  signer = key,
  to = "b"
): string => {
  const keys = allDerived(signer, "mcp-lifeline cluster: questions of replicas and their answers, form 2")
  const { nonce } = RequestProof.decode(request.headers[RequestProof.header])!
  return RequestProof.signAnswer(keys, { nonce, to }, answer)
}

/** The signature as anybody could compute it who knows the key, but not its purpose. */
export const signedWithout = (shared: ClusterKey, body: string): string =>
  createHmac("sha256", Redacted.value(shared)).update(body).digest("base64url")
