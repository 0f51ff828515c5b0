#!/usr/bin/env node
// A producer for Bursar: deducts in Redis, then publishes what it deducted to RabbitMQ.
//
// usage: npm install; node producer.js BUDGET_ID AMOUNT [MESSAGE_ID]
//
// Prints one line of JSON. Exit status: 0 deducted and published (or known before), 1 refused, 75 not known to be published: run it
// again with the same MESSAGE_ID. Needs Node.js 18 or newer.
//
// BURSAR_REDIS_URL, BURSAR_AMQP_URL and BURSAR_DEDUCT_LUA (the path of scripts/redis/deduct.lua) say where things are.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import amqplib from 'amqplib';
import Redis from 'ioredis';

const EXCHANGE = 'bursar';
const ROUTING_KEY = 'deduction';
const PREFIX = 'budget:';
const KEY_SUFFIXES = ['', ':pending', ':done:0', ':done:1', ':meta', ':credits'];
const STATUS = {
  1: 'deducted', 0: 'repeat', '-2': 'insufficient', '-3': 'not-initialised', '-4': 'conflict', '-5': 'invalid',
  '-6': 'refunded', '-7': 'closed',
};
const TRIES = 5;
const CONFIRM_TIMEOUT_MS = 10_000;

// UUIDv7: the time first, so that the ledger's index grows at its end.
function newMessageId() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

// Calls `what` until it works. Everything here may be repeated, because the message id stays the same.
async function repeated(what) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await what();
    } catch (error) {
      if (attempt === TRIES) throw error;
      console.error(`trying again: ${error.message}`);
      await sleep(100 * 2 ** attempt);
    }
  }
}

export class Producer {
  constructor(redisUrl, amqpUrl, deductLua) {
    this.amqpUrl = amqpUrl;
    this.redis = new Redis(redisUrl, {
      connectTimeout: 5000,
      commandTimeout: 5000,
      maxRetriesPerRequest: 2,
      // EVALSHA; where Redis forgot the script (NOSCRIPT), ioredis sends the whole of it.
      scripts: { deduct: { numberOfKeys: 6, lua: readFileSync(deductLua, 'utf8') } },
    });
    this.redis.on('error', () => {}); // every failure reaches the caller through its call
  }

  // [status, left, token] as deduct.lua answers. Amounts and times are strings: they may exceed what is safe to compute with.
  async deduct(budgetId, amount, messageId) {
    const keys = KEY_SUFFIXES.map((suffix) => `${PREFIX}{${budgetId}}${suffix}`);
    return repeated(() => this.redis.deduct(...keys, messageId, amount));
  }

  async channel() {
    if (this.open) return this.open;
    const connection = await amqplib.connect(this.amqpUrl, { timeout: 5000 });
    connection.on('error', () => {});
    const channel = await connection.createConfirmChannel();
    channel.on('error', () => {});
    this.open = { connection, channel };
    return this.open;
  }

  // Resolves once RabbitMQ has confirmed that the message is in a queue.
  async publishOnce(messageId, body) {
    const { connection, channel } = await this.channel();
    let returned = false;
    const onReturn = (message) => { returned ||= message.properties.messageId === messageId; };
    let lost;
    const closed = new Promise((_, reject) => { lost = () => reject(new Error('the connection was closed')); });
    const timeout = setTimeout(() => lost(), CONFIRM_TIMEOUT_MS);
    channel.on('return', onReturn); // a message that no queue takes comes back first, and is confirmed then
    connection.once('close', lost);
    try {
      const confirmed = new Promise((resolve, reject) => {
        channel.publish(EXCHANGE, ROUTING_KEY, body,
          { messageId, contentType: 'application/json', persistent: true, mandatory: true },
          (error) => (error ? reject(error) : resolve()));
      });
      await Promise.race([confirmed, closed]);
      if (returned) throw new Error(`no queue is bound to ${EXCHANGE} for ${ROUTING_KEY}`);
    } catch (error) {
      this.open = undefined;
      connection.close().catch(() => {});
      throw error;
    } finally {
      clearTimeout(timeout);
      channel.off('return', onReturn);
      connection.off('close', lost);
    }
  }

  // Deducts and publishes. `published` says whether the broker confirmed it.
  async produce(budgetId, amount, messageId, userId) {
    const [status, left, token] = await this.deduct(budgetId, amount, messageId);
    const answer = { message_id: messageId, status: STATUS[status], left, deducted_at: token, published: false };
    if (status !== 1 && status !== 0) return answer;
    const message = { message_id: messageId, budget_id: budgetId, amount, deducted_at: Number(token) };
    if (userId !== undefined) message.user_id = userId;
    const body = Buffer.from(JSON.stringify(message));
    try {
      // Also after a repeat: the first try may have died before it published. The ledger books an id once.
      await repeated(() => this.publishOnce(messageId, body));
      answer.published = true;
    } catch (error) {
      // Never given back: the message may have arrived. The same id again settles the question.
      console.error(`not confirmed: ${error.message}`);
    }
    return answer;
  }

  async close() {
    this.redis.disconnect();
    await this.open?.connection.close().catch(() => {});
  }
}

async function main() {
  const [budgetId, amount, messageId] = process.argv.slice(2);
  if (budgetId === undefined || !/^[1-9][0-9]*$/.test(amount ?? '')) {
    console.error('usage: node producer.js BUDGET_ID AMOUNT [MESSAGE_ID]');
    return 64;
  }
  const producer = new Producer(
    process.env.BURSAR_REDIS_URL ?? 'redis://127.0.0.1:6379/0',
    process.env.BURSAR_AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672/%2f',
    process.env.BURSAR_DEDUCT_LUA ?? new URL('../../scripts/redis/deduct.lua', import.meta.url),
  );
  // The id belongs to the business event (an order, a draw), and is kept with it: whoever retries uses the same one.
  const id = messageId ?? newMessageId();
  try {
    // The amount stays a string of digits: Bursar takes both, and this way no number is rounded.
    const answer = await producer.produce(budgetId, amount, id);
    console.log(JSON.stringify(answer));
    if (answer.published) return 0;
    return answer.status === 'deducted' || answer.status === 'repeat' ? 75 : 1;
  } catch (error) {
    // It may be deducted all the same: only the same id finds that out.
    console.error(`not known to be deducted: ${error.message}; run it again with the id ${id}`);
    return 75;
  } finally {
    await producer.close();
  }
}

process.exitCode = await main();
