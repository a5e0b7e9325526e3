import type { Certificate } from "@mcp-lifeline/http-server/Listener"
import * as UserFile from "@mcp-lifeline/state/UserFile"
import { Effect, Redacted } from "effect"
import { StartError } from "../Errors.js"
import type { CertificateFiles } from "../serve/ClusterOptions.js"

const read = (option: string, file: string): Effect.Effect<string, StartError> =>
  Effect.mapError(
    UserFile.text(file),
    (cause) => new StartError({ message: `${option} ${file} cannot be read: ${cause.message}`, cause })
  )

export const load = ({ certificate, key }: CertificateFiles): Effect.Effect<Certificate, StartError> =>
  Effect.all({
    certificate: read("--cluster-certificate", certificate),
    key: Effect.map(read("--cluster-certificate-key", key), (text) => Redacted.make(text))
  })
