import { connect } from 'prinzbox';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { price } from './price.js';

let env;
beforeEach(() => { env = connect().namespace(); });
afterEach(() => env.delete());

test('a model answers', async () => {
  await env.stub('price', { answer: 9.99 });
  expect(await price(env.trackingUri, 'price', { size: 1 })).toBe(9.99);
  expect(await env.count({ model: 'price' })).toBe(1);
});

test('a missing model is an error', async () => {
  await expect(price(env.trackingUri, 'price', { size: 1 })).rejects.toThrow('no price: 404');
});

test('a server in trouble is an error', async () => {
  await env.fault({ match: { kind: 'scoring' }, error: { status: 503 } });
  await expect(price(env.trackingUri, 'MLF-FraudDetection-3', {})).rejects.toThrow('no price: 503');
});
