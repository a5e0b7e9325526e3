import { Container, type Found } from "./Container.js"
import * as ContainerCommand from "./ContainerCommand.js"
import * as Environment from "./Environment.js"
import * as inherited from "./inherited.js"

export interface Left extends Found {
  readonly cwd: string | undefined
  /** Only what the engine needs. */
  readonly env: Readonly<Record<string, string>>
  readonly termGrace: number
}

const kept = new Set(["PATH", "HOME", ...inherited.containers, ...inherited.folders])

export const of = (found: Found, { cwd, env, termGrace }: Pick<Left, "cwd" | "env" | "termGrace">): Left => ({
  ...found,
  cwd,
  termGrace,
  env: Object.fromEntries(Object.entries(env).filter(([name]) => kept.has(name.toUpperCase())))
})

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === "string")

const isLeft = (value: unknown): value is Left => {
  const { cwd, engine, env, rm, run, termGrace } = (value ?? {}) as Partial<Left>
  return isTexts(engine) && ContainerCommand.isEngine(engine?.[0] ?? "") && typeof run === "string"
    && /^[0-9a-f]+$/.test(run) && typeof rm === "boolean" && (cwd === undefined || typeof cwd === "string")
    && typeof env === "object" && env !== null && isTexts(Object.values(env)) && Number.isFinite(termGrace)
}

/** Stops and removes a recorded container, or rejects. Does nothing with anything else. */
export const end = async (value: unknown): Promise<void> => {
  if (!isLeft(value)) return
  const { cwd, engine, env, rm, run, termGrace } = value
  const container = new Container({ engine, run, rm }, {
    cwd,
    env: Environment.make({ env }, process.env, process.platform),
    termGrace,
    ending: new Set(),
    warn: () => {}
  })
  // Its owner may have been killed while the engine still made it.
  await container.remove({ terminated: false, late: true })
}
