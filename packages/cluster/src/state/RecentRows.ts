/** Rows, and characters in all of them. */
export interface Room {
  readonly rows: number
  readonly chars: number
}

const defaultRoom: Room = { rows: 10_000, chars: 16 * 1024 * 1024 }

interface Row {
  readonly collection: string
  readonly key: string
  readonly text: string | undefined
}

export class RecentRows {
  /** Least recently used first. */
  readonly #rows = new Map<string, Row>()
  readonly #room: Room
  #chars = 0

  constructor(room: Room = defaultRoom) {
    this.#room = room
  }

  get(collection: string, key: string): Row | undefined {
    return this.#rows.get(`${collection}/${key}`)
  }

  entries(collection: string): ReadonlyArray<readonly [key: string, text: string]> {
    return Array.from(this.#rows.values()).flatMap(({ collection: of, key, text }) =>
      of === collection && text !== undefined ? [[key, text] as const] : []
    )
  }

  set(collection: string, key: string, text: string | undefined): void {
    const id = `${collection}/${key}`
    this.#remove(id)
    this.#rows.set(id, { collection, key, text })
    this.#chars += text?.length ?? 0
    for (const first of this.#rows.keys()) {
      if (this.#rows.size <= this.#room.rows && this.#chars <= this.#room.chars) break
      this.#remove(first)
    }
  }

  #remove(id: string): void {
    this.#chars -= this.#rows.get(id)?.text?.length ?? 0
    this.#rows.delete(id)
  }
}
