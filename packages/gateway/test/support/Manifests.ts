import { readdirSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseAllDocuments } from "yaml"
import { textOf } from "./Image.js"

const require = createRequire(import.meta.url)
const schemas = join(dirname(require.resolve("kubernetes-models")), "_schemas")
const folder = "deploy/kubernetes/"

export const names = readdirSync(fileURLToPath(new URL(`../../../../${folder}`, import.meta.url))).toSorted()

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly [key: string]: any
}

export const text = (name: string): string => textOf(`${folder}${name}`)

export const parse = (text: string): ReadonlyArray<Manifest> =>
  // As Kubernetes reads it: 0440 is a number to the base of 8.
  parseAllDocuments(text, { version: "1.1" }).map((one) => {
    if (one.errors.length > 0) throw one.errors[0]!
    return one.toJS() as Manifest
  })

type Problem = { readonly instancePath: string; readonly message?: string }
type Validate = ((value: unknown) => boolean) & { errors?: ReadonlyArray<Problem> | null }

const schemaOf = ({ apiVersion, kind }: Manifest): Validate => {
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion]
  const capital = (text = "") => text.slice(0, 1).toUpperCase() + text.slice(1)
  const name = `IoK8sApi${capital(group?.split(".")[0])}${capital(version)}${kind}`
  return (require(join(schemas, name)) as { readonly validate: Validate }).validate
}

/** A value that notes which of its keys somebody has read: a schema reads all that it knows. */
const watched = (value: object, at: string, unread: Set<string>): object => {
  for (const key of Object.keys(value)) unread.add(`${at}/${key}`)
  const read = new Map<string, unknown>()
  return new Proxy(value, {
    get: (target, key) => {
      const found: unknown = Reflect.get(target, key)
      if (typeof key === "symbol" || !Object.hasOwn(target, key)) return found
      unread.delete(`${at}/${key}`)
      if (!read.has(key)) {
        read.set(key, typeof found === "object" && found !== null ? watched(found, `${at}/${key}`, unread) : found)
      }
      return read.get(key)
    }
  })
}

/** What is wrong with a manifest, by the published schema: also keys that it does not have, which the schema itself lets pass. */
export const problemsOf = (manifest: Manifest): ReadonlyArray<string> => {
  const validate = schemaOf(manifest)
  const unread = new Set<string>()
  validate(watched(manifest, "", unread))
  return [
    ...(validate.errors ?? []).map(({ instancePath, message = "is wrong" }) => `${instancePath} ${message}`),
    ...[...unread].map((path) => `${path} is unknown`)
  ]
}
