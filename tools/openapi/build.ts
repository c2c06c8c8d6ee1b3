/** Writes the OpenAPI document to public/openapi.json, which is served as a static file. CI fails when it is stale. */
import { writeFileSync } from 'node:fs'
import { URL } from 'node:url'
import { describeService } from './document.ts'

const text = `${JSON.stringify(describeService(), null, 2)}\n`
writeFileSync(new URL('../../public/openapi.json', import.meta.url), text)
