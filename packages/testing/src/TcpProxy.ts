/**
 * A TCP proxy on 127.0.0.1 between a client and a server, with which a test can break the network. It does not interpret the data,
 * except, for `twice`, the chunks of HTTP.
 */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"
import { Conditions } from "./internal/Conditions.js"
import * as ReservedPort from "./ReservedPort.js"

/** Where bytes go. */
export type Direction = "toServer" | "toClient"

/** Bytes that arrived together. */
export interface Piece {
  readonly direction: Direction
  readonly bytes: Buffer
  /** The number of the connection, from 0 in the order in which they were made. */
  readonly connection: number
  /** The bytes as text, so that a test can see what they are. */
  readonly text: string
}

/**
 * What the proxy does with a piece.
 *
 * - `pass`: forwards it.
 * - `lose`: drops it, and everything that follows in this direction of its connection, because TCP leaves no gaps.
 * - `reset`: drops it, and resets the connection on both sides.
 * - `cut`: drops it, and resets the connection only on the client's side. The server notices nothing, as when a router forgets a
 *   connection.
 * - `twice`: forwards it twice if it consists of whole chunks of a chunked HTTP body, such as an event of an event stream; otherwise once.
 * - `delay`: forwards it this many milliseconds later, and everything that follows after it.
 */
export type Treatment = "pass" | "lose" | "reset" | "cut" | "twice" | { readonly delay: number }

/** The proxy. Make it with `make` or `open`. */
export class TcpProxy implements AsyncDisposable {
  /** Decides what the proxy does with each piece; by default it forwards it. Called once for each piece, when it arrives. */
  treat: ((piece: Piece) => Treatment | undefined) | undefined
  readonly #target: URL
  readonly #node: Net.Server
  readonly #links = new Set<Link>()
  readonly #conditions = new Conditions()
  #made = 0
  #held = false
  #reserved: ReservedPort.ReservedPort | undefined
  #port = 0

  constructor(target: string) {
    this.#target = new URL(target)
    // A side that has said all it has to say may still be listening.
    this.#node = Net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client))
  }

  /** The server's address through the proxy. `refuse` and `accept` do not change it. */
  get url(): string {
    const url = new URL(this.#target)
    url.hostname = "127.0.0.1"
    url.port = String(this.#port)
    return url.href
  }

  get port(): number {
    return this.#port
  }

  /** Connections that clients have made so far. */
  get made(): number {
    return this.#made
  }

  /** Connections that are open on the client's side, on the server's, or on both. */
  get open(): number {
    return this.#links.size
  }

  /** Resolves as soon as the condition is true. The proxy checks it after each piece, and each start and end of a connection. */
  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition)
  }

  /** Resets every connection, on both sides or on the client's only: see `Treatment`. New ones work as before. */
  cut(sides: "both" | "client" = "both"): void {
    for (const link of [...this.#links]) link.end(sides)
  }

  /** Refuses new connections from now on; those that are open stay. */
  refuse(): Promise<void> {
    return new Promise((resolve) => {
      // It is called back when the last connection has ended, too; what counts here is that nobody listens any more.
      this.#node.close(() => {})
      setImmediate(resolve)
    })
  }

  /** Accepts new connections, again on the same port, which is nobody else's meanwhile. */
  async accept(): Promise<void> {
    this.#reserved ??= await ReservedPort.open()
    this.#port = this.#reserved.port
    await this.#reserved.listen(this.#node)
  }

  /**
   * Takes the network away: connections can be made and stay open, but the proxy forwards nothing in either direction until `release`.
   * Then it forwards what was sent meanwhile, as TCP would. A connection that is cut meanwhile loses its data.
   */
  hold(): void {
    this.#held = true
  }

  /** Brings the network back: forwards what was held. */
  release(): void {
    this.#held = false
    for (const link of this.#links) link.flush()
  }

  /** Ends the proxy: cuts every connection and refuses new ones. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    if (this.#node.listening) await this.refuse()
    await this.#reserved?.[Symbol.asyncDispose]()
    this.#reserved = undefined
  }

  #link(client: Net.Socket): void {
    const { hostname, port, protocol } = this.#target
    const server = Net.connect({
      host: hostname,
      port: Number(port || (protocol === "https:" ? 443 : 80)),
      allowHalfOpen: true,
      noDelay: true
    })
    const connection = this.#made++
    const link: Link = new Link(client, server, {
      isHeld: () => this.#held,
      treat: (direction, bytes) =>
        this.treat?.({ direction, bytes, connection, text: bytes.toString("utf8") }) ?? "pass",
      changed: () => {
        if (link.isOver) this.#links.delete(link)
        this.#conditions.check()
      }
    })
    this.#links.add(link)
    this.#conditions.check()
  }
}

/** What a connection asks of the proxy. */
interface Network {
  readonly isHeld: () => boolean
  readonly treat: (direction: Direction, bytes: Buffer) => Treatment
  readonly changed: () => void
}

/** The two sockets of one connection, and what is on its way between them. */
class Link {
  readonly #client: Net.Socket
  readonly #server: Net.Socket
  readonly #ways: ReadonlyArray<Way>
  /** The client's side was cut without a word to the server. */
  #isSevered = false

  constructor(client: Net.Socket, server: Net.Socket, network: Network) {
    this.#client = client
    this.#server = server
    const end = (sides: "both" | "client") => this.end(sides)
    this.#ways = [
      new Way("toServer", client, server, network, end),
      new Way("toClient", server, client, network, end)
    ]
    for (const socket of [client, server]) {
      socket.on("error", () => this.#isSevered || this.end("both"))
      socket.on("close", () => {
        if (!this.#isSevered && !socket.readableEnded) this.end("both")
        network.changed()
      })
    }
  }

  /** Whether both sides have ended. */
  get isOver(): boolean {
    return this.#client.destroyed && this.#server.destroyed
  }

  flush(): void {
    for (const way of this.#ways) way.flush()
  }

  end(sides: "both" | "client"): void {
    for (const way of this.#ways) way.lose()
    if (sides === "both" || this.#isSevered) this.#server.resetAndDestroy()
    this.#isSevered = true
    this.#client.resetAndDestroy()
  }
}

/** One direction of a connection: pieces leave in the order in which they came. */
class Way {
  readonly #to: Net.Socket
  readonly #from: Net.Socket
  readonly #network: Network
  /** What has to be carried and is not yet due, or is held; `undefined` is the end. */
  readonly #queue: Array<{ readonly due: number; readonly bytes: Buffer | undefined }> = []
  #isLost = false
  #timer: NodeJS.Timeout | undefined

  constructor(
    direction: Direction,
    from: Net.Socket,
    to: Net.Socket,
    network: Network,
    end: (sides: "both" | "client") => void
  ) {
    this.#from = from
    this.#to = to
    this.#network = network
    from.on("data", (bytes) => {
      if (!this.#isLost) {
        const treatment = network.treat(direction, bytes)
        if (treatment === "lose") this.lose()
        else if (treatment === "reset") end("both")
        else if (treatment === "cut") end("client")
        else {
          this.#queue.push({ due: performance.now() + (typeof treatment === "object" ? treatment.delay : 0), bytes })
          if (treatment === "twice" && isWholeChunks(bytes)) this.#queue.push({ due: 0, bytes })
          this.flush()
        }
      }
      network.changed()
    })
    from.on("end", () => {
      this.#queue.push({ due: 0, bytes: undefined })
      this.flush()
    })
    to.on("drain", () => from.resume())
  }

  /** Carries nothing any more. */
  lose(): void {
    this.#isLost = true
    this.#queue.length = 0
    clearTimeout(this.#timer)
  }

  /** Carries what is due. */
  flush(): void {
    clearTimeout(this.#timer)
    while (!this.#isLost && !this.#network.isHeld()) {
      const next = this.#queue[0]
      if (next === undefined) return
      const wait = next.due - performance.now()
      if (wait > 0) {
        this.#timer = setTimeout(() => this.flush(), Math.ceil(wait))
        return
      }
      this.#queue.shift()
      if (next.bytes === undefined) this.#to.end()
      else if (!this.#to.write(next.bytes)) this.#from.pause()
    }
  }
}

/** Whether bytes are chunks of a chunked HTTP body from first to last, and not its end. */
const isWholeChunks = (bytes: Buffer): boolean => {
  let at = 0
  while (at < bytes.length) {
    const line = bytes.indexOf("\r\n", at)
    const size = line === -1 ? "" : bytes.toString("latin1", at, line)
    if (!/^[0-9a-f]+$/i.test(size) || Number.parseInt(size, 16) === 0) return false
    const end = line + 2 + Number.parseInt(size, 16)
    if (bytes.toString("latin1", end, end + 2) !== "\r\n") return false
    at = end + 2
  }
  return bytes.length > 0
}

/** Starts a proxy to a server on a port of its own; it ends with the scope. */
export const make = (target: string): Effect.Effect<TcpProxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => open(target)),
    (proxy) => Effect.promise(() => proxy[Symbol.asyncDispose]())
  )

/**
 * The same without Effect.
 *
 * @example
 * import { HttpFaultServer, TcpProxy } from "@mcp-lifeline/testing"
 *
 * const server = await HttpFaultServer.open()
 * const proxy = await TcpProxy.open(server.url)
 * // point a client at proxy.url; then, for example, lose each answer that speaks of "hello", after the server has given it
 * proxy.treat = ({ direction, text }) => direction === "toClient" && text.includes("hello") ? "reset" : "pass"
 * // or take the network away for a while
 * proxy.hold()
 * proxy.release()
 * await proxy[Symbol.asyncDispose]()
 * await server[Symbol.asyncDispose]()
 */
export const open = async (target: string): Promise<TcpProxy> => {
  const proxy = new TcpProxy(target)
  await proxy.accept()
  return proxy
}
