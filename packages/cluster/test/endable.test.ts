import { expect, it } from "@effect/vitest"
import type { Connection, Loss } from "@mcp-lifeline/core"
import { endable } from "../src/endable.js"

const loss = (message: string): Loss => ({ kind: "closed", message })

/** A connection that tells of its own end while it is failed, which ports may. */
const connected = () => {
  const did: Array<string> = []
  let tell: (loss: Loss) => void = () => {}
  const inner = {
    onLost: (listener) => {
      tell = listener
    },
    fail: ({ message }) => {
      did.push(`failed: ${message}`)
      tell(loss("inner"))
    }
  } as Partial<Connection> as Connection
  const { connection, end } = endable(inner, () => true, () => {})
  connection.onLost(({ message }) => did.push(`lost: ${message}`))
  return { did, end, tell: (one: Loss) => tell(one) }
}

it("[D6:unit] a connection that is ended fails what is pending, and then tells of that loss alone", () => {
  const { did, end, tell } = connected()
  end(loss("the lease is over"))
  end(loss("again"))
  tell(loss("late"))
  expect(did).toEqual(["failed: the lease is over", "lost: the lease is over"])
})

it("[D6:unit] one that has been lost is not ended any more", () => {
  const { did, end, tell } = connected()
  tell(loss("exited"))
  end(loss("the lease is over"))
  expect(did).toEqual(["lost: exited"])
})
