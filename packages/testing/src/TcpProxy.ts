/** A TCP proxy on 127.0.0.1 with which a test can break the network. Only `twice` interprets data: HTTP chunks. */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"
import { Conditions } from "./internal/Conditions.js"
import * as ReservedPort from "./ReservedPort.js"

export type Direction = "toServer" | "toClient"

/** Bytes that arrived together. */
export interface Piece {
  readonly direction: Direction
  readonly bytes: Buffer
  /** From 0, in order of connection. */
  readonly connection: number
  /** As UTF-8. */
  readonly text: string
}

/**
 * - `pass`: forwards the piece.
 * - `lose`: drops it, and all that follows in this direction of its connection, because TCP leaves no gaps.
 * - `reset`: drops it, and resets the connection on both sides.
 * - `cut`: drops it, and resets only the client's side, as when a router forgets a connection.
 * - `twice`: forwards it twice if it consists of whole chunks of an HTTP body, such as an event; otherwise once.
 * - `delay`: forwards it, and all that follows, this many milliseconds later.
 */
export type Treatment = "pass" | "lose" | "reset" | "cut" | "twice" | { readonly delay: number }

/** Make it with `make` or `open`. */
export class TcpProxy implements AsyncDisposable {
  /** Called for each piece on arrival. Default: `pass`. */
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
    // A side that has finished sending may still listen.
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

  /** Connections so far. */
  get made(): number {
    return this.#made
  }

  /** Connections that are open on one side or both. */
  get open(): number {
    return this.#links.size
  }

  /** Resolves once the condition is true. Checked after each piece, and each start and end of a connection. */
  until(condition: () => boolean): Promise<void> {
    return this.#conditions.until(condition)
  }

  /** Resets every connection, on both sides or only the client's. New ones work. */
  cut(sides: "both" | "client" = "both"): void {
    for (const link of [...this.#links]) link.end(sides)
  }

  /** Refuses new connections; open ones stay. */
  refuse(): Promise<void> {
    return new Promise((resolve) => {
      // The callback would wait for open connections.
      this.#node.close(() => {})
      setImmediate(resolve)
    })
  }

  /** Accepts connections, always on the same port, which stays reserved. */
  async accept(): Promise<void> {
    this.#reserved ??= await ReservedPort.open()
    this.#port = this.#reserved.port
    await this.#reserved.listen(this.#node)
  }

  /**
   * Connections can be made and stay open, but nothing is forwarded until `release`. If a connection is cut meanwhile, its held data is
   * lost.
   */
  hold(): void {
    this.#held = true
  }

  /** Forwards what was held. */
  release(): void {
    this.#held = false
    for (const link of this.#links) link.flush()
  }

  /** Cuts every connection and refuses new ones. */
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

interface Network {
  readonly isHeld: () => boolean
  readonly treat: (direction: Direction, bytes: Buffer) => Treatment
  readonly changed: () => void
}

class Link {
  readonly #client: Net.Socket
  readonly #server: Net.Socket
  readonly #ways: ReadonlyArray<Way>
  /** Cut at the client's side only; the server knows nothing. */
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

/** One direction; keeps the order. */
class Way {
  readonly #to: Net.Socket
  readonly #from: Net.Socket
  readonly #network: Network
  /** Held, or not yet due; `undefined` is the end. */
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

  lose(): void {
    this.#isLost = true
    this.#queue.length = 0
    clearTimeout(this.#timer)
  }

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

/** Whether bytes are whole chunks of an HTTP body, without its end. */
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

/** On its own port; ends with the scope. */
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
