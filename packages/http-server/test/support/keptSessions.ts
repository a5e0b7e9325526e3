import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

export const keptSessions = (state: string): string => {
  const sessions = join(state, "sessions")
  return readdirSync(sessions).filter((name) => name.endsWith(".json")).map((name) =>
    readFileSync(join(sessions, name), "utf8")
  ).join()
}
