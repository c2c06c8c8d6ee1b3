/**
 * The examples of the API reference: each is what the service answers to the curl line beside it. After a change of the
 * answers, `npm run examples` records them again.
 */
import { expect, it } from 'vitest'
import { archiveEnv, emptyBucketBeforeEach } from '../support/archive.ts'
import { description } from '../support/description.ts'
import { startService } from '../support/service.ts'
import { webhookSecret } from '../support/webhooks.ts'
import { curlLine, runCurl } from './curl.ts'
import { createNormalizer } from './normalize.ts'
import { type Step, tellStory } from './story.ts'

/** A well-known browser, so that the sessions in the examples look real. */
const browser = {
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
  'X-Request-Id': 'checkout-7f3a',
}

emptyBucketBeforeEach()

it('the recorded example of every operation is what the service answers to its curl line', async () => {
  const plain = startService({ env: { RESEND_WEBHOOK_SECRET: webhookSecret, ...archiveEnv } })
  const service = {
    ...plain,
    call: (...[method, path, call = {}]: Parameters<typeof plain.call>) =>
      plain.call(method, path, { country: 'GB', ...call, headers: { ...browser, ...call.headers } }),
  }
  const variables: Record<string, string> = { POSTERN: 'https://accounts.example.com' }
  const normalize = createNormalizer()
  const recorded: Record<string, unknown> = {}

  await tellStory(service, variables, async ({ operationId, status, ...request }: Step) => {
    expect(recorded, `${operationId} is recorded once`).not.toHaveProperty(operationId)
    const curl = curlLine(request)
    const answer = await runCurl(service, curl, variables)
    expect(answer.status, `${operationId}: ${answer.text}`).toBe(status)
    const body = request.body === undefined ? undefined : fill(request.body, variables)
    recorded[operationId] = normalize({ curl, request: body, status, answer: answer.json })
    return answer
  })

  const operations = Object.values(description.paths).flatMap((item) =>
    Object.values(item).flatMap(({ operationId }) => operationId ?? []),
  )
  // A static file, which the platform answers.
  expect([...Object.keys(recorded), 'getDescription'].toSorted()).toEqual(operations.toSorted())
  await expect(`${JSON.stringify(recorded, null, 2)}\n`).toMatchFileSnapshot('../../tools/openapi/recorded.json')
})

/** The body with its variables replaced, as it was sent. */
function fill(body: unknown, variables: Readonly<Record<string, string>>): unknown {
  return JSON.parse(JSON.stringify(body).replaceAll(/\$([A-Z_]+)/g, (_, name: string) => variables[name]!))
}
