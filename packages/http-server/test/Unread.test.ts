import { Bytes } from "@mcp-lifeline/core/text"
import { createServer, type ServerResponse } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { afterEach, describe, expect, it } from "vitest"
import { defaults, type Limits, Unread } from "../src/Unread.js"

const MB = 1024 * 1024
const patient = 600_000

const closing: Array<() => void> = []
afterEach(() => closing.splice(0).forEach((close) => close()))

const serve = async (limits: Limits, write: (response: ServerResponse, bytes: number) => void) => {
  const unread = new Unread(limits)
  const responses: Array<ServerResponse> = []
  const server = createServer((request, response) => {
    const [, client, bytes] = /^\/(\w+)\/(\d+)/.exec(request.url ?? "") ?? []
    responses.push(response)
    unread.watch(response, client)
    write(response, Number(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  closing.push(() => server.close(), () => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const ask = (client: string, bytes: number) => {
    const state = { isClosed: false, read: 0 }
    const socket: Socket = connect(
      port,
      "127.0.0.1",
      () => socket.write(`GET /${client}/${bytes} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    )
    socket.pause()
    socket.on("error", () => undefined).on("close", () => state.isClosed = true)
    socket.on("data", (chunk: Buffer) => state.read += chunk.length)
    socket.pause()
    closing.push(() => socket.destroy())
    return { socket, state }
  }
  return { ask, responses, unread }
}

const whole = (response: ServerResponse, bytes: number) => void response.end(Buffer.alloc(bytes))
const inPieces = (response: ServerResponse, bytes: number) => {
  for (let left = bytes; left > 0; left -= MB) response.write(Buffer.alloc(MB))
}

describe.each([["whole answers", whole], ["streams", inPieces]] as const)("%s that nobody reads", (_, write) => {
  it("[X5:real] are limited for a client and for all, and cost others nothing", async () => {
    const { ask, responses, unread } = await serve({ bytes: Bytes(64 * MB), stall: patient }, write)
    const ended = () => responses.filter(({ destroyed }) => destroyed).length
    let most = 0
    for (let count = 1; count <= 12; count++) {
      ask("greedy", 8 * MB)
      await expect.poll(() => responses.length).toBe(count)
      most = Math.max(most, unread.total)
    }
    // One alone has half.
    expect(ended()).toBeGreaterThanOrEqual(12 - 5)
    expect(most).toBeLessThanOrEqual(32 * MB)
    const reader = ask("reader", 8 * MB)
    reader.socket.resume()
    await expect.poll(() => reader.state.read).toBeGreaterThan(8 * MB)
    for (let count = 1; count <= 12; count++) ask(`other${count}`, 8 * MB)
    await expect.poll(() => responses.length).toBe(25)
    expect(unread.total).toBeLessThanOrEqual(64 * MB)
    closing.splice(2).forEach((close) => close())
    await expect.poll(() => unread.total).toBe(0)
  })

  it("[X5:real] end their connection after a time in which nothing was read", async () => {
    const { ask, responses, unread } = await serve({ bytes: Bytes(64 * MB), stall: 300 }, write)
    ask("deaf", 16 * MB)
    await expect.poll(() => responses[0]?.destroyed, { timeout: 60_000 }).toBe(true)
    await expect.poll(() => unread.total).toBe(0)
  })
})

it("[X5:real] an answer that takes long is waited for", async () => {
  let answer = (): void => undefined
  const { ask, responses } = await serve({ bytes: Bytes(64 * MB), stall: 300 }, (response, bytes) => {
    answer = () => whole(response, bytes)
  })
  const { socket, state } = ask("patient", MB)
  socket.resume()
  await expect.poll(() => responses.length).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(state.isClosed).toBe(false)
  answer()
  await expect.poll(() => state.isClosed).toBe(true)
  expect(state.read).toBeGreaterThan(MB)
})

const holding = () => {
  const listeners = new Map<string, () => void>()
  const timeouts: Array<[millis: number, then: () => void]> = []
  const response = {
    destroyed: false,
    writableLength: 0,
    write: (bytes: number) => {
      response.writableLength += bytes
      return true
    },
    end: () => response,
    destroy: () => {
      response.destroyed = true
      listeners.get("close")?.()
    },
    setTimeout: (millis: number, then: () => void) => timeouts.push([millis, then]),
    on: (event: string, listener: () => void) => listeners.set(event, listener)
  }
  return { response, timeouts, drain: () => listeners.get("drain")?.() }
}

describe("what is counted of what nobody reads", () => {
  it("[X5:unit] is what is more than 64 KiB of one answer, as often as that changes", () => {
    const unread = new Unread({ bytes: Bytes(1024 * MB), stall: patient })
    const { drain, response } = holding()
    unread.watch(response as never, "a client")
    for (const _ of [1, 2]) {
      response.write(65_536)
      expect(unread.total).toBe(0)
      response.write(1)
      expect(unread.total).toBe(65_537)
      response.writableLength = 65_536
      drain()
      expect(unread.total).toBe(0)
      response.writableLength = 0
    }
  })

  it("[X5:unit] by itself, the connection of who reads nothing for a minute is closed, and all clients together leave half a gigabyte", () => {
    const unread = new Unread(defaults)
    const [reads, deaf] = [holding(), holding()]
    for (const { response } of [reads, deaf]) {
      unread.watch(response as never, "a client")
      response.write(1)
    }
    expect([reads, deaf].map(({ timeouts }) => timeouts.map(([millis]) => millis))).toEqual([[60_000], [60_000]])
    reads.response.writableLength = 0
    for (const { timeouts } of [reads, deaf]) timeouts[0]?.[1]()
    expect([reads, deaf].map(({ response }) => response.destroyed)).toEqual([false, true])
    const greedy = holding()
    unread.watch(greedy.response as never, "greedy")
    greedy.response.write(256 * MB)
    expect(greedy.response.destroyed).toBe(false)
    greedy.response.write(1)
    expect([greedy.response.destroyed, unread.total]).toEqual([true, 0])
  })
})
