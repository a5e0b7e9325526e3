/**
 * Limits the connections of a listener. To make room for one more, closes the one that was idle for the longest time; connections with an open
 * request stay.
 */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"

const message = "All connections of the gateway are in use; close some, or try again later\n"

const refusal = [
  "HTTP/1.1 503 Service Unavailable",
  "Content-Type: text/plain",
  `Content-Length: ${message.length}`,
  "Retry-After: 5",
  "Connection: close",
  "",
  message
].join("\r\n")

/** Counts connections and their open requests. */
export class Connections {
  readonly #limit: number
  /** The number of open requests of each, least recently used first. */
  readonly #all = new Map<Socket, number>()
  #busy = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether so many connections have an open request that the last 5 % are reserved for the status page and commands. */
  get isCrowded(): boolean {
    return this.#busy > this.#limit - Math.ceil(this.#limit / 20)
  }

  add(socket: Socket): void {
    this.#all.set(socket, 0)
    socket.once("close", () => this.#remove(socket))
    if (this.#all.size <= this.#limit) return
    for (const [one, requests] of this.#all) {
      if (requests > 0 || one === socket) continue
      this.#remove(one)
      return void one.destroy()
    }
    this.#remove(socket)
    socket.end(refusal, () => socket.destroy())
  }

  /** Counts a request as open until its response closes. */
  began(socket: Socket, response: ServerResponse): void {
    this.#change(socket, 1)
    response.once("close", () => this.#change(socket, -1))
  }

  #change(socket: Socket, by: number): void {
    const before = this.#all.get(socket)
    if (before === undefined) return
    if (before === 0) this.#busy++
    if (before + by === 0) this.#busy--
    this.#all.delete(socket)
    this.#all.set(socket, before + by)
  }

  #remove(socket: Socket): void {
    if ((this.#all.get(socket) ?? 0) > 0) this.#busy--
    this.#all.delete(socket)
  }
}
