import { EventEmitter } from "node:events"
import type { ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { describe, expect, it } from "vitest"
import { Connections } from "../src/Connections.js"

const dial = (connections: Connections, remoteAddress?: string) => {
  const emitter = new EventEmitter()
  const state = { isDestroyed: false, text: "" }
  const socket = Object.assign(emitter, {
    remoteAddress,
    destroy: () => {
      state.isDestroyed = true
    },
    end: (text: string, done: () => void) => {
      state.text += text
      done()
    }
  }) as unknown as Socket
  connections.add(socket)
  return {
    state,
    close: () => emitter.emit("close"),
    begin: () => {
      const response = new EventEmitter() as unknown as ServerResponse
      connections.began(socket, response)
      return () => void response.emit("close")
    }
  }
}

describe("connections", () => {
  it("[X5] one that has closed takes no room", () => {
    const connections = new Connections(2)
    const first = dial(connections)
    dial(connections).close()
    dial(connections).close()
    dial(connections)
    expect(first.state.isDestroyed).toBe(false)
    dial(connections)
    expect(first.state.isDestroyed).toBe(true)
  })

  it("[X5] requests that are answered leave room for others, in whatever order connection and request end", () => {
    const connections = new Connections(20)
    const all = Array.from({ length: 20 }, () => dial(connections))
    const ends = all.map(({ begin }) => begin())
    expect(connections.isCrowded).toBe(true)
    ends[0]!()
    expect(connections.isCrowded).toBe(false)
    all[0]!.begin()
    expect(connections.isCrowded).toBe(true)
    all[1]!.close()
    expect(connections.isCrowded).toBe(false)
    ends[1]!()
    dial(connections).begin()
    expect(connections.isCrowded).toBe(true)
    ends[2]!()
    all[2]!.close()
    expect(connections.isCrowded).toBe(false)
  })

  it("[X5] one too many is closed whether or not its client ends it", () => {
    const connections = new Connections(1)
    dial(connections).begin()
    const { state } = dial(connections)
    expect(state).toEqual({ isDestroyed: true, text: expect.stringMatching(/^HTTP\/1\.1 503 /) })
  })

  it("[X5] a request that ends after its connection brings it not back", () => {
    const connections = new Connections(2)
    const one = dial(connections)
    const end = one.begin()
    one.close()
    const unused = dial(connections)
    end()
    dial(connections)
    expect(unused.state.isDestroyed).toBe(false)
  })

  it("[X5] one that nobody used ends, and as many are in use as before", () => {
    const connections = new Connections(21)
    for (let n = 0; n < 20; n++) dial(connections).begin()
    expect(connections.isCrowded).toBe(true)
    dial(connections).close()
    expect(connections.isCrowded).toBe(true)
  })

  it("[X5] several requests on one connection are one that is in use, until the last has ended", () => {
    const connections = new Connections(2)
    const one = dial(connections)
    const ends = [one.begin(), one.begin()]
    expect(connections.isCrowded).toBe(false)
    ends[0]!()
    dial(connections)
    dial(connections)
    expect(one.state.isDestroyed).toBe(false)
    ends[1]!()
    dial(connections).begin()
    expect(one.state.isDestroyed).toBe(false)
    dial(connections)
    expect(one.state.isDestroyed).toBe(true)
  })

  it("[X5] room is made by the address that has most without a request, by the one that was unused for longest", () => {
    const connections = new Connections(5)
    const modest = dial(connections, "10.0.0.1")
    const busy = dial(connections, "10.0.0.2")
    busy.begin()
    const greedy = [1, 2, 3].map(() => dial(connections, "10.0.0.2"))
    const isDestroyed = () => greedy.map(({ state }) => state.isDestroyed)
    dial(connections, "10.0.0.2")
    expect(isDestroyed()).toEqual([true, false, false])
    dial(connections, "10.0.0.1")
    expect(isDestroyed()).toEqual([true, true, false])
    expect([modest.state.isDestroyed, busy.state.isDestroyed]).toEqual([false, false])
  })
})
