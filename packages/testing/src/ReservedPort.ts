/**
 * A TCP port of 127.0.0.1 that stays reserved while nothing listens on it, so that a server can restart there. Systems do not assign these
 * ports (Linux begins at 32768, macOS and Windows at 49152); holders in all processes see each other by a UDP socket of the same number.
 */
import { Effect, type Scope } from "effect"
import { randomInt } from "node:crypto"
import * as Dgram from "node:dgram"
import * as Net from "node:net"
import { listening } from "./internal/listening.js"

const [lowest, beyond] = [12_000, 32_000]

/** Random ports that are tried. */
const mostTries = 100

/** Held until disposed of, or until the process ends. */
export class ReservedPort implements AsyncDisposable {
  readonly port: number
  readonly #claim: Dgram.Socket

  constructor(port: number, claim: Dgram.Socket) {
    this.port = port
    this.#claim = claim
  }

  /** May be called again. Rejects if the server cannot listen. */
  listen(server: Net.Server): Promise<void> {
    return listening(server, this.port)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => void this.#claim.close(resolve))
  }
}

const bound = (socket: Dgram.Socket, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once("error", reject)
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, resolve)
  })

/** Rejects where somebody listens on a port. */
const unused = async (port: number): Promise<void> => {
  const probe = Net.createServer()
  await listening(probe, port)
  await new Promise((resolve) => void probe.close(resolve))
}

/** Reserves an unused port until the scope ends. */
export const make: Effect.Effect<ReservedPort, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => open()),
  (reserved) => Effect.promise(() => reserved[Symbol.asyncDispose]())
)

/**
 * The same without Effect. Rejects where there seems to be none.
 *
 * @example
 * import { ReservedPort } from "@mcp-lifeline/testing"
 *
 * const reserved = await ReservedPort.open()
 * // start a server on reserved.port, end it, start it there again
 * await reserved[Symbol.asyncDispose]()
 */
export const open = async (): Promise<ReservedPort> => {
  let last: unknown
  for (let tries = 0; tries < mostTries; tries++) {
    const port = randomInt(lowest, beyond)
    const claim = Dgram.createSocket("udp4")
    try {
      await bound(claim, port)
      await unused(port)
      claim.unref()
      return new ReservedPort(port, claim)
    } catch (error) {
      claim.close()
      last = error
    }
  }
  throw new Error(`no port of 127.0.0.1 could be reserved in ${mostTries} tries`, { cause: last })
}
