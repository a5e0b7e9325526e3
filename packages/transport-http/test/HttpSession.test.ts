import { assert, describe, it } from "vitest"
import { HttpSession } from "../src/HttpSession.js"

describe("the session of a transport", () => {
  it("[T8:unit] takes an id of visible ASCII, and an empty one for none", () => {
    for (const id of ["\u0020a", "a b", "a\n", "ä", "\u007F", "\u0020"]) {
      const session = new HttpSession()
      assert.isFalse(session.begin(id), JSON.stringify(id))
      assert.isUndefined(session.id)
    }
    for (const none of ["", undefined]) {
      const session = new HttpSession()
      assert.isTrue(session.begin(none))
      session.initialized("2025-11-25")
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
})
