import { JsonRpc, JsonScanner } from "@mcp-lifeline/protocol"
import { assert, describe, it } from "vitest"

describe("ids of requests", () => {
  it("[G18] an integer that JSON does not keep is refused with why, and not answered as another one", () => {
    for (const id of ["9007199254740993", "-9007199254740992", "1e300"]) {
      const read = JsonRpc.read(JSON.parse(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`))
      assert.strictEqual(read._tag, "Illegible")
      assert.deepInclude(read, { id: null })
      assert.include(read._tag === "Illegible" ? read.reason : "", "use a text")
    }
    for (const id of ["9007199254740991", "0", "-1", '"9007199254740993"']) {
      assert.strictEqual(JsonRpc.read(JSON.parse(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`))._tag, "Message")
    }
    for (const id of ["1.5", "null", "[]", "true"]) {
      const read = JsonRpc.read(JSON.parse(`{"jsonrpc":"2.0","id":${id},"method":"ping"}`))
      assert.deepInclude(read, { id: null, reason: "the message is not JSON-RPC 2.0" })
    }
  })

  it("[X5] of a message that is too long to keep, the id is found where it is short, and nothing else is kept", () => {
    const found = (text: string) => {
      const scanner = new JsonScanner()
      for (const one of Buffer.from(text)) scanner.push(Buffer.from([one]))
      return scanner.id
    }
    const long = (length: number): string => "x".repeat(length)
    assert.strictEqual(found(`{"a":"${long(100_000)}","id":"${long(254)}"}`), long(254))
    assert.isUndefined(found(`{"id":"${long(255)}"}`))
    assert.isUndefined(found(`{"id":"${long(1_000_000)}"}`))
    assert.isUndefined(found(`{"id":${"1".repeat(1000)}}`))
    // A key that is too long is none, whatever it begins with.
    assert.isUndefined(found(`{"id${long(300)}":1}`))
    assert.strictEqual(found(`{"id${long(300)}":1,"id":2}`), 2)
  })
})
