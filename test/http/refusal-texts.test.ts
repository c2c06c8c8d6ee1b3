/** The pages have a text of their own for everything that the API can refuse. */
import { describe, expect, it } from 'vitest'
import { fieldErrorCodes } from '../../src/errors.ts'
import { problems } from '../../src/problems.ts'
import { refusals as german } from '../../web/texts/refusals/de.ts'
import { refusals as english } from '../../web/texts/refusals/en.ts'

/** Of the client itself, without an answer of the service. */
const clientCodes = [
  'network_error',
  'unexpected_answer',
  'invalid_request',
  'origin_not_listed',
  'client_in_use',
  'passkey_cancelled',
  'passkey_unavailable',
]

describe('the texts for refusals', () => {
  it('are there for every problem and every broken rule, in both languages, and for no other', () => {
    for (const catalog of [english, german]) {
      expect(Object.keys(catalog.problem).toSorted()).toEqual([...Object.keys(problems), ...clientCodes].toSorted())
      expect(Object.keys(catalog.fieldError).toSorted()).toEqual(fieldErrorCodes.toSorted())
      const texts = [...Object.values(catalog.problem), ...Object.values(catalog.fieldError)]
      for (const text of [...texts, catalog.unknownProblem, catalog.unknownFieldError]) {
        expect(text).toMatch(/^\p{Lu}.+[.]$/u)
      }
    }
  })

  it('are not the texts of the API', () => {
    const own = Object.values(problems).map(({ detail }) => detail)
    for (const text of [...Object.values(german.problem), ...Object.values(german.fieldError)]) {
      expect(own).not.toContain(text)
      expect(text).not.toMatch(/\b(the|your|this|is|not|must|be)\b/)
    }
  })
})
