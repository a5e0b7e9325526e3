import type { Membership } from "@mcp-lifeline/cluster"
import { Effect, Metric, type Scope } from "effect"

const replica = Metric.gauge("lifeline.cluster.replica", {
  description:
    "1 for the id and the address of the replica that reports; 0 for ids that it had under leases that have ended"
})

const owner = Metric.gauge("lifeline.cluster.owner", {
  description: "1 for a server that the replica has, of those that run once in the cluster; 0 for one that it had"
})

const whileOpen = (gauge: Metric.Metric.Gauge<number>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(Metric.set(gauge, 1), () => Metric.set(gauge, 0))

export const owns = (server: string): Effect.Effect<void, never, Scope.Scope> =>
  whileOpen(Metric.tagged(owner, "lifeline.backend", server))

export const follow = (
  { held }: Pick<Membership.Membership, "held">,
  nameOf: (id: string) => string,
  address: string
): Effect.Effect<void, never, Scope.Scope> => {
  const life = Effect.flatMap(held, ({ id, lapsed }) => {
    const own = Metric.tagged(Metric.tagged(replica, "lifeline.replica", nameOf(id)), "lifeline.address", address)
    return Effect.scoped(Effect.zipRight(whileOpen(own), lapsed))
  })
  return Effect.asVoid(Effect.forkScoped(Effect.interruptible(Effect.forever(life))))
}
