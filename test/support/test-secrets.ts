/** Keys that are in the open and therefore good for nothing but tests. */
export const testSecrets = {
  SIGNING_KEYS: JSON.stringify({
    keys: [
      {
        kty: 'OKP',
        crv: 'Ed25519',
        kid: 'test-signing',
        x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
        d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A',
      },
    ],
  }),
  TOKEN_KEYS: JSON.stringify({
    keys: [{ kty: 'oct', kid: 'test-token', k: 'dGVzdC10ZXN0LXRlc3QtdGVzdC10ZXN0LXRlc3QtMzI' }],
  }),
  PASSWORD_PEPPER: JSON.stringify({
    keys: [{ kty: 'oct', kid: 'test-pepper', k: 'cGVwcGVyLXBlcHBlci1wZXBwZXItcGVwcGVyLXBlcHBlcg' }],
  }),
  DATA_KEYS: JSON.stringify({
    keys: [{ kty: 'oct', kid: 'test-data', k: 'ZGF0YS1kYXRhLWRhdGEtZGF0YS1kYXRhLWRhdGEtMzI' }],
  }),
  RESEND_API_KEY: 're_test',
}
