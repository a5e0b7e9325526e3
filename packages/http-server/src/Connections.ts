/**
 * The connections of a listener, limited in number: for one more, the one goes that nobody has used for the longest time. Those on which
 * a request is under way stay.
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

/** Counts connections, and the requests on them. */
export class Connections {
  readonly #most: number
  /** With the requests that are under way; the longest unused first. */
  readonly #all = new Map<Socket, number>()
  #busy = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Whether so many have a request under way that the rest is needed for the user's page and commands. */
  get isCrowded(): boolean {
    return this.#busy > this.#most - Math.ceil(this.#most / 20)
  }

  /** Somebody has connected. */
  add(socket: Socket): void {
    this.#all.set(socket, 0)
    socket.once("close", () => this.#remove(socket))
    if (this.#all.size <= this.#most) return
    for (const [one, requests] of this.#all) {
      if (requests > 0 || one === socket) continue
      this.#remove(one)
      return void one.destroy()
    }
    this.#remove(socket)
    socket.end(refusal, () => socket.destroy())
  }

  /** A request has come; it is under way until its response has ended. */
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
