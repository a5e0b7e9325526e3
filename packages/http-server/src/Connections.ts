/** To make room, closes a connection without an open request. */
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { type Place, Places } from "./Places.js"

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

export class Connections {
  readonly #limit: number
  readonly #all = new Map<unknown, { readonly place: Place; open: number; last?: ServerResponse }>()
  readonly #idle: Places

  constructor(limit: number) {
    this.#limit = limit
    this.#idle = new Places(() => limit, "others needed its connection")
  }

  /** The last 5 % are reserved for the status page and commands. */
  get forClients(): number {
    return this.#limit - Math.ceil(this.#limit / 20)
  }

  get isCrowded(): boolean {
    return this.#all.size - this.#idle.total > this.forClients
  }

  add(socket: Socket): void {
    const place: Place = {
      owner: socket.remoteAddress,
      end: () => {
        this.#all.delete(socket)
        socket.destroy()
      }
    }
    if (this.#all.size >= this.#limit && !this.#idle.evict(place.owner)) {
      return void socket.end(refusal, () => socket.destroy())
    }
    this.#all.set(socket, { place, open: 0 })
    this.#idle.put(place)
    socket.once("close", () => {
      this.#idle.leave(place)
      this.#all.delete(socket)
    })
  }

  began(socket: Socket, response: ServerResponse): void {
    const one = this.#all.get(socket)
    if (one === undefined) return
    one.last = response
    if (one.open++ === 0) this.#idle.leave(one.place)
    response.on("close", () => {
      if (--one.open === 0 && this.#all.has(socket)) this.#idle.put(one.place)
    })
  }

  lastOn(socket: unknown): ServerResponse | undefined {
    return this.#all.get(socket)?.last
  }
}
