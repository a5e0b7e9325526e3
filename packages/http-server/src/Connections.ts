/**
 * To make room, closes the connection that was idle longest, of the address that has most of these; those with an open request stay.
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

export class Connections {
  readonly #limit: number
  readonly #all = new Map<Socket, number>()
  /** By the address of the peer, the longest idle first. */
  readonly #idle = new Map<string | undefined, Set<Socket>>()

  #idleCount = 0
  /** A socket that has closed does not know its address. */
  readonly #addresses = new WeakMap<Socket, string | undefined>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The last 5 % are reserved for the status page and commands. */
  get forClients(): number {
    return this.#limit - Math.ceil(this.#limit / 20)
  }

  get isCrowded(): boolean {
    return this.#all.size - this.#idleCount > this.forClients
  }

  add(socket: Socket): void {
    this.#all.set(socket, 0)
    socket.once("close", () => this.#remove(socket))
    const excess = this.#all.size > this.#limit
    const victim = excess ? this.#longestIdle() : undefined
    if (excess && victim === undefined) {
      this.#remove(socket)
      return void socket.end(refusal, () => socket.destroy())
    }
    if (victim !== undefined) {
      this.#remove(victim)
      victim.destroy()
    }
    this.#rest(socket)
  }

  began(socket: Socket, response: ServerResponse): void {
    this.#change(socket, 1)
    response.once("close", () => this.#change(socket, -1))
  }

  #longestIdle(): Socket | undefined {
    let most: Set<Socket> | undefined
    for (const sockets of this.#idle.values()) if (most === undefined || sockets.size > most.size) most = sockets
    return most?.values().next().value
  }

  #change(socket: Socket, by: number): void {
    const before = this.#all.get(socket)
    if (before === undefined) return
    this.#all.set(socket, before + by)
    if (before === 0) this.#wake(socket)
    if (before + by === 0) this.#rest(socket)
  }

  #rest(socket: Socket): void {
    const sockets = this.#idle.get(socket.remoteAddress) ?? new Set()
    this.#idle.set(socket.remoteAddress, sockets.add(socket))
    this.#addresses.set(socket, socket.remoteAddress)
    this.#idleCount++
  }

  #wake(socket: Socket): void {
    const address = this.#addresses.get(socket)
    const sockets = this.#idle.get(address)
    if (sockets?.delete(socket) !== true) return
    this.#idleCount--
    if (sockets.size === 0) this.#idle.delete(address)
  }

  #remove(socket: Socket): void {
    this.#wake(socket)
    this.#all.delete(socket)
  }
}
