import type { Certificate } from "@mcp-lifeline/http-server/Listener"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { StartError } from "../text/Errors.js"
import { type CertificateFiles, type ClusterOptions, storeOf } from "./ClusterOptions.js"

const read = (option: string, file: string): Effect.Effect<string, StartError> =>
  Effect.mapError(
    UserFile.text(file),
    (cause) => new StartError({ message: `${option} ${file} cannot be read: ${cause.message}`, cause })
  )

export const certificate = ({ certificate, key }: CertificateFiles): Effect.Effect<Certificate, StartError> =>
  Effect.all({
    certificate: read("--cluster-certificate", certificate),
    key: Effect.map(read("--cluster-certificate-key", key), (text) => Redacted.make(text))
  })

/** A message never contains the URL. */
export const databaseUrl = ({ store }: Pick<ClusterOptions, "store">): Effect.Effect<Redacted.Redacted, StartError> => {
  if (Redacted.isRedacted(store)) return Effect.succeed(store)
  const option = "--cluster-file"
  return Effect.flatMap(read(option, store.file), (text) => {
    const url = storeOf(text, (why) => ({ why }))
    return Redacted.isRedacted(url)
      ? Effect.succeed(url)
      : Effect.fail(new StartError({ message: `the content of ${option} ${store.file} ${url.why}` }))
  })
}
