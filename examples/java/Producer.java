import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import redis.clients.jedis.JedisPooled;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.exceptions.JedisNoScriptException;

/**
 * A producer for Bursar: deducts in Redis, then publishes what it deducted to RabbitMQ.
 *
 * <pre>usage: Producer BUDGET_ID AMOUNT [MESSAGE_ID]</pre>
 *
 * Prints one line of JSON. Exit status: 0 deducted and published (or known before), 1 refused, 75 not known to be published: run it
 * again with the same MESSAGE_ID. Needs Java 17, Jedis 4 or newer and the RabbitMQ client 5 or newer (pom.xml beside this file).
 *
 * <p>BURSAR_REDIS_URL, BURSAR_AMQP_URL and BURSAR_DEDUCT_LUA (the path of scripts/redis/deduct.lua) say where things are. An instance
 * is for one thread; the pool and the connection below it may be shared.
 */
public final class Producer implements AutoCloseable {
    private static final String EXCHANGE = "bursar";
    private static final String ROUTING_KEY = "deduction";
    private static final String PREFIX = "budget:";
    private static final List<String> KEY_SUFFIXES = List.of("", ":pending", ":done:0", ":done:1", ":meta", ":credits");
    private static final Map<Long, String> STATUS = Map.of(
            1L, "deducted", 0L, "repeat", -2L, "insufficient", -3L, "not-initialised", -4L, "conflict", -5L, "invalid",
            -6L, "refunded", -7L, "closed");
    private static final int TRIES = 5;
    private static final long CONFIRM_TIMEOUT_MS = 10_000;

    /** What deduct.lua answered: amounts and times are strings, empty where they do not apply. */
    public record Deduction(long status, String left, String token) {
        boolean isTaken() {
            return status == 1 || status == 0;
        }
    }

    /** What became of it all; {@code published} says whether the broker confirmed the message. */
    public record Answer(String messageId, Deduction deduction, boolean published) {
        String toJson() {
            return String.format(
                    "{\"message_id\":\"%s\",\"status\":\"%s\",\"left\":\"%s\",\"deducted_at\":\"%s\",\"published\":%b}",
                    escape(messageId), STATUS.get(deduction.status()), deduction.left(), deduction.token(), published);
        }
    }

    private final JedisPooled redis;
    private final String script;
    private final String scriptDigest;
    private final ConnectionFactory amqp = new ConnectionFactory();
    private Connection connection;
    private Channel channel;
    private final AtomicBoolean returned = new AtomicBoolean();

    public Producer(String redisUrl, String amqpUrl, Path deductLua) throws Exception {
        redis = new JedisPooled(URI.create(redisUrl), 5000);
        script = Files.readString(deductLua);
        scriptDigest = sha1(script);
        amqp.setUri(amqpUrl);
        amqp.setConnectionTimeout(5000);
        amqp.setAutomaticRecoveryEnabled(false); // a lost connection is replaced here, and what was not confirmed sent again
    }

    /** UUIDv7: the time first, so that the ledger's index grows at its end. */
    static String newMessageId() {
        SecureRandom random = new SecureRandom();
        long high = System.currentTimeMillis() << 16 | 0x7000 | random.nextInt(0x1000);
        long low = random.nextLong() & 0x3FFFFFFFFFFFFFFFL | 0x8000000000000000L;
        return new UUID(high, low).toString();
    }

    /** Deducts; a lost answer is asked for again with the same id. */
    public Deduction deduct(String budgetId, long amount, String messageId) throws Exception {
        List<String> keys = KEY_SUFFIXES.stream().map(suffix -> PREFIX + "{" + budgetId + "}" + suffix).toList();
        List<String> arguments = List.of(messageId, Long.toString(amount));
        List<?> reply = repeated(() -> {
            try {
                return (List<?>) redis.evalsha(scriptDigest, keys, arguments);
            } catch (JedisNoScriptException forgotten) {
                return (List<?>) redis.eval(script, keys, arguments);
            }
        });
        return new Deduction((Long) reply.get(0), (String) reply.get(1), (String) reply.get(2));
    }

    /** Returns once RabbitMQ has confirmed that the message is in a queue; throws when it does not. */
    public void publish(String messageId, String body) throws Exception {
        AMQP.BasicProperties properties = new AMQP.BasicProperties.Builder()
                .messageId(messageId).contentType("application/json").deliveryMode(2).build();
        repeated(() -> {
            try {
                open();
                returned.set(false);
                boolean mandatory = true;
                channel.basicPublish(EXCHANGE, ROUTING_KEY, mandatory, properties, body.getBytes(StandardCharsets.UTF_8));
                channel.waitForConfirmsOrDie(CONFIRM_TIMEOUT_MS);
                if (returned.get()) { // a message that no queue takes comes back first, and is confirmed then
                    throw new IOException("no queue is bound to " + EXCHANGE + " for " + ROUTING_KEY);
                }
                return null;
            } catch (Exception error) {
                closeConnection();
                throw error;
            }
        });
    }

    /** Deducts and publishes. {@code userId} may be null. */
    public Answer produce(String budgetId, long amount, String messageId, String userId) throws Exception {
        Deduction deduction = deduct(budgetId, amount, messageId);
        if (!deduction.isTaken()) {
            return new Answer(messageId, deduction, false);
        }
        String user = userId == null ? "" : ",\"user_id\":\"" + escape(userId) + "\"";
        String body = String.format("{\"message_id\":\"%s\",\"budget_id\":\"%s\",\"amount\":%d,\"deducted_at\":%s%s}",
                escape(messageId), escape(budgetId), amount, deduction.token(), user);
        try {
            // Also after a repeat: the first try may have died before it published. The ledger books an id once.
            publish(messageId, body);
            return new Answer(messageId, deduction, true);
        } catch (Exception error) {
            // Never given back: the message may have arrived. The same id again settles the question.
            System.err.println("not confirmed: " + error);
            return new Answer(messageId, deduction, false);
        }
    }

    @Override
    public void close() {
        closeConnection();
        redis.close();
    }

    private void open() throws Exception {
        if (channel != null) {
            return;
        }
        connection = amqp.newConnection();
        channel = connection.createChannel();
        channel.confirmSelect();
        channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.set(true));
    }

    private void closeConnection() {
        channel = null;
        if (connection != null) {
            connection.abort(2000);
        }
        connection = null;
    }

    /** Calls {@code what} until it works. Everything here may be repeated, because the message id stays the same. */
    private static <T> T repeated(Callable<T> what) throws Exception {
        for (int attempt = 1; ; attempt++) {
            try {
                return what.call();
            } catch (Exception error) {
                if (attempt == TRIES) {
                    throw error;
                }
                System.err.println("trying again: " + error);
                Thread.sleep(100L << attempt);
            }
        }
    }

    private static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                escaped.append('\\').append(c);
            } else if (c < ' ') {
                escaped.append(String.format("\\u%04x", (int) c));
            } else {
                escaped.append(c);
            }
        }
        return escaped.toString();
    }

    private static String sha1(String text) throws Exception {
        byte[] digest = java.security.MessageDigest.getInstance("SHA-1").digest(text.getBytes(StandardCharsets.UTF_8));
        return java.util.HexFormat.of().formatHex(digest);
    }

    private static String environment(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null ? otherwise : value;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length < 2 || arguments.length > 3 || !arguments[1].matches("[1-9][0-9]{0,15}")) {
            System.err.println("usage: Producer BUDGET_ID AMOUNT [MESSAGE_ID]");
            System.exit(64);
        }
        // The id belongs to the business event (an order, a draw), and is kept with it: whoever retries uses the same one.
        String messageId = arguments.length == 3 ? arguments[2] : newMessageId();
        Answer answer;
        try (Producer producer = new Producer(
                environment("BURSAR_REDIS_URL", "redis://127.0.0.1:6379/0"),
                environment("BURSAR_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f"),
                Path.of(environment("BURSAR_DEDUCT_LUA", "../../scripts/redis/deduct.lua")))) {
            answer = producer.produce(arguments[0], Long.parseLong(arguments[1]), messageId, null);
        } catch (JedisException error) {
            // It may be deducted all the same: only the same id finds that out.
            System.err.println("not known to be deducted: " + error + "; run it again with the id " + messageId);
            System.exit(75);
            return;
        }
        System.out.println(answer.toJson());
        System.exit(answer.published() ? 0 : answer.deduction().isTaken() ? 75 : 1);
    }
}
