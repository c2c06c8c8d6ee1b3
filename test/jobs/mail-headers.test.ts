/** The headers of emails: for machines that answer, and for programs that show emails in threads. */
import { expect } from 'vitest'
import { it } from '../support/fixtures.ts'
import { consume, loseConnection, scriptResend } from '../support/mail-consumer.ts'
import { goodPassword } from '../support/person.ts'

interface Payload {
  headers: Record<string, string>
  tags: { value: string }[]
}

it('every email says that a machine wrote it, and belongs to no thread, alone or with others', async ({
  service,
  anonymous,
}) => {
  for (const name of ['ada', 'bob', 'eve']) {
    await anonymous.register({ email: `${name}@example.com`, password: goodPassword })
  }
  await anonymous.resendActivation('ada@example.com')
  const jobs = service.queued.splice(0)
  const requests = scriptResend()
  await consume(service, jobs.slice(0, 1))
  await consume(service, jobs.slice(1))
  const emails = requests.flatMap(({ payload }) => [JSON.parse(payload)].flat() as Payload[])
  expect(emails).toHaveLength(4)
  for (const { headers, tags } of emails) {
    expect(headers).toEqual({
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-Entity-Ref-ID': tags[0]!.value,
    })
  }
  expect(new Set(emails.map(({ headers }) => headers['X-Entity-Ref-ID'])).size).toBe(4)
})

it('a repeated email has the same headers', async ({ service, clock, anonymous }) => {
  await anonymous.register({ email: 'ada@example.com', password: goodPassword })
  const jobs = service.queued.splice(0)
  const requests = scriptResend(loseConnection)
  await consume(service, jobs)
  clock.advance(15_000)
  await consume(service, jobs)
  expect(requests).toHaveLength(2)
  expect(requests[0]!.payload).toBe(requests[1]!.payload)
})
