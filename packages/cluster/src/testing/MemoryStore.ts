import { Clock, Effect } from "effect"
import type { Claims, ClusterStore, Ownership, Place, Replica } from "../ClusterStore.js"

interface Claim {
  readonly owner: string | undefined
  readonly generation: number
  readonly since: number
}

interface Row extends Place {
  readonly text: string
  readonly usedAt: number
}

const isAfter = (one: Place, other: Place): boolean =>
  one.collection === other.collection ? one.key > other.key : one.collection > other.collection

const entry = ({ key, text }: Row) => [key, text] as const

export const make = (): ClusterStore => {
  const replicas = new Map<string, Replica>()
  const servers = new Map<string, Claim>()
  let taken = 0
  const rows = new Map<string, Row>()
  let changes = 0
  const idOf = (collection: string, key: string): string => `${collection}/${key}`
  const newest = (collection: string): ReadonlyArray<Row> =>
    Array.from(rows.values()).filter((row) => row.collection === collection).toSorted((a, b) => b.usedAt - a.usedAt)
  const isAlive = (id: string | undefined): boolean => id !== undefined && replicas.get(id)?.hasEnded === false
  const ownership = ({ generation = 0, owner }: Partial<Claim> = {}): Ownership | undefined => {
    const replica = owner === undefined ? undefined : replicas.get(owner)
    return replica?.hasEnded === false ? { owner: replica.id, address: replica.address, generation } : undefined
  }
  const claims = (rows: Map<string, Claim>, next: (before: Claim) => number = () => ++taken): Claims => ({
    find: (name) => Effect.sync(() => ownership(rows.get(name))),
    claim: (id, name, instead) =>
      Effect.map(Clock.currentTimeMillis, (since) => {
        const row = rows.get(name) ?? { owner: undefined, generation: 0, since }
        const isReplaced = row.owner === id && row.generation === instead
        if ((!isAlive(row.owner) || isReplaced) && isAlive(id)) {
          rows.set(name, { owner: id, generation: next(row), since })
        }
        return ownership(rows.get(name) ?? row)
      }),
    release: (id, name, generation) =>
      Effect.sync(() => {
        const row = rows.get(name)
        if (row?.owner === id && row.generation === generation) rows.set(name, { ...row, owner: undefined })
      })
  })
  return {
    join: (id, address) =>
      Effect.sync(() => void replicas.set(id, { id, address, renewals: 0, witnesses: [], hasEnded: false })),
    renew: (id, witnesses) =>
      Effect.sync(() => {
        const before = replicas.get(id)
        if (before?.hasEnded === false) replicas.set(id, { ...before, renewals: before.renewals + 1, witnesses })
        return {
          renewals: isAlive(id) ? replicas.get(id)?.renewals : undefined,
          replicas: Array.from(replicas.values()),
          changes
        }
      }),
    end: (id, renewals) =>
      Effect.sync(() => {
        const before = replicas.get(id)
        if (before === undefined || before.hasEnded) return true
        if (renewals !== undefined && before.renewals !== renewals) return false
        replicas.set(id, { ...before, hasEnded: true })
        return true
      }),
    ...claims(servers, ({ generation }) => generation + 1),
    sessions: claims(new Map()),
    locks: claims(new Map()),
    rows: {
      get: (collection, key) => Effect.sync(() => rows.get(idOf(collection, key))?.text),
      entries: (collection) => Effect.sync(() => newest(collection).map(entry).toSorted()),
      after: (place, maxRows) =>
        Effect.sync(() =>
          Array.from(rows.values()).filter((row) => place === undefined || isAfter(row, place))
            .toSorted((one, other) => isAfter(one, other) ? 1 : -1).slice(0, maxRows)
        ),
      change: ({ before, collection, isFollowed = false, keepsAge = false, key, text }) =>
        Effect.map(Clock.currentTimeMillis, (usedAt) => {
          const id = idOf(collection, key)
          const row = rows.get(id)
          const found = row?.text
          if (found !== before || text === before) return found
          rows.delete(id)
          if (text !== undefined) {
            rows.set(id, { collection, key, text, usedAt: keepsAge ? row?.usedAt ?? usedAt : usedAt })
          }
          if (isFollowed) changes++
          return text
        }),
      use: (collection, key) =>
        Effect.map(Clock.currentTimeMillis, (usedAt) => {
          const row = rows.get(idOf(collection, key))
          if (row !== undefined) rows.set(idOf(collection, key), { ...row, usedAt })
        }),
      excess: (collection, { maxChars, maxRows }) =>
        Effect.sync(() => {
          let chars = 0
          return newest(collection).filter(({ text }, index) => {
            chars += text.length
            return index >= maxRows || chars > maxChars
          }).map(entry).toReversed().slice(0, 1000)
        }),
      prune: (collection, { maxRows, maxUnused }) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          for (const [index, { key, usedAt }] of newest(collection).entries()) {
            if (index >= maxRows || now - usedAt > maxUnused) rows.delete(idOf(collection, key))
          }
        })
    },
    loads: Effect.sync(() => {
      const owners = Array.from(servers.values()).flatMap((row) => ownership(row)?.owner ?? [])
      return new Map(owners.map((owner) => [owner, owners.filter((other) => other === owner).length]))
    }),
    servers: Effect.sync(() =>
      Array.from(servers).flatMap(([server, row]) => {
        const owned = ownership(row)
        return owned === undefined ? [] : [{ server, since: row.since, ...owned }]
      })
    )
  }
}
