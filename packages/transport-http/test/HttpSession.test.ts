import { assert, describe, it } from "vitest"
import { HttpSession } from "../src/HttpSession.js"

const begun = (id?: string, version = "2025-11-25") => {
  const session = new HttpSession()
  assert.isTrue(session.begin(id))
  session.initialized(version)
  return session
}
const at = (lastEventId?: string) => ({ lastEventId, retry: 1_000 })

describe("the session of a transport", () => {
  it("[T8:unit] takes an id of visible ASCII, and an empty one for none", () => {
    for (const id of ["\u0020a", "a b", "a\n", "ä", "\u007F", "\u0020"]) {
      const session = new HttpSession()
      assert.isFalse(session.begin(id), JSON.stringify(id))
      assert.isUndefined(session.id)
    }
    for (const none of ["", undefined]) {
      const session = begun(none)
      assert.isUndefined(session.id)
      assert.isFalse(session.isOurs)
      assert.deepStrictEqual(session.headers, { "mcp-protocol-version": "2025-11-25" })
    }
    const session = new HttpSession()
    assert.deepStrictEqual(session.headers, {})
    assert.isTrue(session.isConnecting)
    assert.isTrue(session.begin("!~"))
    assert.deepStrictEqual(session.headers, { "mcp-session-id": "!~" })
    assert.isFalse(session.isInitialized)
    session.initialized("2025-06-18")
    assert.deepInclude(session, { isInitialized: true, isConnecting: false, isOurs: true, isBorrowed: false })
    assert.deepStrictEqual(session.headers, { "mcp-session-id": "!~", "mcp-protocol-version": "2025-06-18" })
  })

  it("[T11:unit] is taken out once, with where its streams stand, and is not ended by who had it", () => {
    const stream = at("7")
    const session = begun("abc")
    const known = session.suspend(stream, [{ id: 1, ...at("8") }])
    stream.lastEventId = "9"
    assert.deepStrictEqual(known, {
      id: "abc",
      protocolVersion: "2025-11-25",
      serverStream: at("7"),
      exchanges: [{ id: 1, ...at("8") }]
    })
    assert.deepInclude(session, { isSuspended: true, isOurs: false, isConnecting: false })
    assert.isUndefined(session.suspend(stream, []))
    assert.isUndefined(begun(undefined).suspend(stream, []))
    const early = new HttpSession()
    early.begin("abc")
    assert.isUndefined(early.suspend(stream, []))
  })

  it("[T11:unit] one that is borrowed is not ended and not taken out until it goes on", () => {
    const known = begun("abc").suspend(at("7"), [])!
    const session = new HttpSession()
    assert.isUndefined(session.goOn())
    session.borrow(known)
    assert.deepInclude(session, {
      id: "abc",
      isBorrowed: true,
      isConnecting: true,
      isInitialized: true,
      isOurs: false,
      isSuspended: false
    })
    assert.deepStrictEqual(session.headers, { "mcp-session-id": "abc", "mcp-protocol-version": "2025-11-25" })
    assert.isUndefined(session.suspend(at(), []))
    assert.strictEqual(session.goOn(), known)
    assert.deepInclude(session, { isBorrowed: false, isConnecting: false, isOurs: true })
    assert.isUndefined(session.goOn())
  })
})
