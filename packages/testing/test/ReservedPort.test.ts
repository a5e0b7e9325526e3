import { assert, describe, it } from "@effect/vitest"
import { ReservedPort } from "@mcp-lifeline/testing"
import * as Dgram from "node:dgram"
import { once } from "node:events"
import * as Net from "node:net"

const isReserved = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = Dgram.createSocket("udp4")
    socket.once("error", () => resolve(true))
    socket.bind({ address: "127.0.0.1", port, exclusive: true }, () => socket.close(() => resolve(false)))
  })

describe("ReservedPort", () => {
  it("is free for a server, below what systems give to others, and nobody else's until it is given back", async () => {
    const reserved = await ReservedPort.open()
    const { port } = reserved
    assert.isBelow(port, 32_768)
    assert.isTrue(await isReserved(port))
    const server = Net.createServer()
    await reserved.listen(server)
    assert.strictEqual((server.address() as Net.AddressInfo).port, port)
    server.close()
    await once(server, "close")
    assert.isTrue(await isReserved(port))
    await reserved[Symbol.asyncDispose]()
    assert.isFalse(await isReserved(port))
  })

  it("is another one each time", async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => ReservedPort.open()))
    assert.strictEqual(new Set(all.map(({ port }) => port)).size, 50)
    for (const one of all) await one[Symbol.asyncDispose]()
  })
})
