import { expect, it } from "vitest"
import { describeCluster, ManyGateways } from "../support/ManyGateways.js"
import { clients } from "../support/Unaware.js"

describeCluster("two gateways, one fleet", () => {
  it("[D1:real D2:real] run one process of a server; where that gateway is killed, the other runs it, and its clients go on", async () => {
    await using all = await ManyGateways.start(2, { servers: ["notes"] })
    // On a busy machine a server may be away for longer than a call waits.
    const add = async (port: number, key: string): Promise<number> => {
      const client = await clients["the official Client, v1"]!(new URL(`http://127.0.0.1:${port}/mcp`), "one")
      try {
        for (let round = 0;; round++) {
          const pid = await client.call("notes__add", { key: `${key}-${round}` }, 300_000).catch(() => undefined)
          if (pid !== undefined) return Number(pid)
        }
      } finally {
        await client.close()
      }
    }
    const [one, two] = await Promise.all(all.replicas.map(({ port }, index) => add(port, `before-${index}`)))
    const owner = all.owner(two ?? 0) ?? all.owner(one ?? 0)
    const other = all.replicas.find((replica) => replica !== owner)!
    await owner!.end("SIGKILL")
    expect([one, two]).not.toContain(await add(other.port, "after"))
    expect(all.ledger.overlaps()).toEqual([])
    expect([...all.ledger.calls().effects].filter(([, times]) => times !== 1)).toEqual([])
  })
})
