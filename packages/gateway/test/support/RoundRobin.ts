/** Asks the next gateway if one refuses the connection or says 503, and answers 502 if one ends the connection before its answer. */
import { once } from "node:events"
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export class RoundRobin implements AsyncDisposable {
  readonly #ports: ReadonlyArray<number>
  readonly #server: Server
  readonly #agent = new Agent({ keepAlive: true, timeout: 2000 })
  readonly #open = new Set<ServerResponse>()
  #next = 0

  private constructor(ports: ReadonlyArray<number>) {
    this.#ports = ports
    // Longer than clients keep them.
    this.#server = createServer(
      { keepAliveTimeout: 600_000 },
      (incoming, response) => void this.#balance(incoming, response)
    )
  }

  static async start(ports: ReadonlyArray<number>): Promise<RoundRobin> {
    const balancer = new RoundRobin(ports)
    await once(balancer.#server.listen(0, "127.0.0.1"), "listening")
    return balancer
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/mcp`)
  }

  cut(): void {
    for (const response of this.#open) response.destroy()
  }

  async #balance(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    incoming.on("error", () => undefined)
    response.on("error", () => undefined)
    this.#open.add(response)
    response.once("close", () => this.#open.delete(response))
    const pieces: Array<Buffer> = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const first = this.#next++
    for (let times = 0; times < 2 * this.#ports.length; times++) {
      const port = this.#ports[(first + times) % this.#ports.length]!
      if (await this.#pass(port, incoming, Buffer.concat(pieces), response)) return
    }
    response.writeHead(503).end("no gateway")
  }

  /** Returns whether the client has its answer. */
  #pass(port: number, incoming: IncomingMessage, body: Buffer, response: ServerResponse): Promise<boolean> {
    return new Promise((resolve) => {
      const { headers, method, url } = incoming
      const passing = request({ port, host: "127.0.0.1", method, path: url, headers, agent: this.#agent })
      passing.on("error", (error: NodeJS.ErrnoException) => {
        // Also one that is reset before it is made.
        if (error.syscall === "connect") return resolve(false)
        if (response.headersSent) response.destroy()
        else response.writeHead(502).end("bad gateway")
        resolve(true)
      })
      passing.on("response", (answer) => {
        if (answer.statusCode === 503) {
          answer.resume()
          return resolve(false)
        }
        response.writeHead(answer.statusCode!, answer.headers)
        response.flushHeaders()
        answer.pipe(response)
        answer.on("error", () => undefined)
        answer.on("aborted", () => response.destroy())
        resolve(true)
      })
      response.on("close", () => passing.destroy())
      passing.end(body)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
