import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Iterator;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A client of Zhenping for rating platforms: JDK 17, nothing else. Thread-safe; make one and share it.
 *
 * <p>It returns within its budget whatever happens, and it never throws over the network: what a
 * citizen waits for must not hang or fail because a second system does.
 */
public final class ZhenpingClient {

    /** What came of one rating. */
    public sealed interface Answer permits Verdict, Refused, Later {}

    /** The verdict, as JSON. Durable: it was stored before it was sent. */
    public record Verdict(String json) implements Answer {
        /** {@code admit}, {@code hold} or {@code reject}. */
        public String decision() {
            return field(json, "decision");
        }
    }

    /**
     * Refused for good; repeating the same changes nothing. 422: a required field, named in the
     * problem's {@code path}. 409: another content under this {@code rating_id}. 401, 403: the token.
     */
    public record Refused(int status, String problem) implements Answer {}

    /**
     * No answer within the budget. The rating may have been taken or not. If it is a complaint, send
     * it to its handling yourself, now; and submit the very same bytes again within 72 hours.
     */
    public record Later(String why) implements Answer {}

    /** One event of the stream of verdicts; the id is its sequence. */
    public record Event(long id, String json) {}

    private static final int ATTEMPTS = 3;
    private static final Duration SHORTEST_ATTEMPT = Duration.ofMillis(50);

    private final HttpClient http;
    private final URI base;
    private final String authorization;
    private final Duration budget;

    /**
     * @param base where Zhenping listens, with a slash at the end, such as {@code https://zhenping.internal/}
     * @param token a token of role {@code intake}
     * @param budget how long {@link #submit} may take in all; 1 second is plenty
     */
    public ZhenpingClient(URI base, String token, Duration budget) {
        this.http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofMillis(300))
                .build();
        this.base = base;
        this.authorization = "Bearer " + token;
        this.budget = budget;
    }

    /**
     * Submits one rating. Safe to repeat: one {@code rating_id} has one verdict.
     *
     * @param json the rating; serialise it once, store it, and repeat those bytes
     */
    public Answer submit(String json) throws InterruptedException {
        byte[] body = json.getBytes(StandardCharsets.UTF_8);
        long end = System.nanoTime() + budget.toNanos();
        String why = "the budget is too short for one attempt";
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            Duration left = Duration.ofNanos(end - System.nanoTime());
            if (left.compareTo(SHORTEST_ATTEMPT) < 0) {
                break;
            }
            // A slow answer leaves room for a second attempt, which finds the first one's verdict.
            Duration limit = attempt < ATTEMPTS ? left.dividedBy(2) : left;
            HttpResponse<String> response;
            try {
                response = http.send(request("v1/ratings", limit)
                        .header("Content-Type", "application/json")
                        .POST(BodyPublishers.ofByteArray(body))
                        .build(), BodyHandlers.ofString());
            } catch (IOException error) {
                why = error.getClass().getSimpleName();
                continue;
            }
            int status = response.statusCode();
            if (status == 200) {
                return new Verdict(response.body());
            }
            if (status < 500 && status != 408 && status != 429) {
                return new Refused(status, response.body());
            }
            why = "status " + status;
            Duration pause = retryAfter(response);
            left = Duration.ofNanos(end - System.nanoTime());
            if (pause.plus(SHORTEST_ATTEMPT).compareTo(left) > 0) {
                break;
            }
            Thread.sleep(pause.toMillis());
        }
        return new Later(why);
    }

    /**
     * Opens the stream of verdicts from a sequence on, so that you learn of corrections: the same
     * {@code rating_id} with a higher {@code revision}. Store the id of each event after you have done
     * its work; when the stream ends or breaks, open it again at that id plus one.
     */
    public Stream<Event> verdicts(long from) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(base.resolve("v1/verdicts/stream?from=" + from))
                .header("Authorization", authorization)
                .header("Accept", "text/event-stream")
                .build();
        HttpResponse<Stream<String>> response = http.send(request, BodyHandlers.ofLines());
        if (response.statusCode() != 200) {
            response.body().close();
            throw new IOException("status " + response.statusCode());
        }
        Iterator<String> lines = response.body().iterator();
        return Stream.generate(() -> next(lines)).takeWhile(Objects::nonNull).onClose(response.body()::close);
    }

    /** Reads one event; null at the end of the stream. */
    private static Event next(Iterator<String> lines) {
        long id = -1;
        StringBuilder data = new StringBuilder();
        while (lines.hasNext()) {
            String line = lines.next();
            if (line.startsWith("id:")) {
                id = Long.parseLong(line.substring(3).trim());
            } else if (line.startsWith("data:")) {
                data.append(line.substring(5).trim());
            } else if (line.isEmpty() && data.length() > 0) {
                return new Event(id, data.toString());
            }
        }
        return null;
    }

    private HttpRequest.Builder request(String path, Duration limit) {
        return HttpRequest.newBuilder(base.resolve(path)).timeout(limit).header("Authorization", authorization);
    }

    private static Duration retryAfter(HttpResponse<?> response) {
        String seconds = response.headers().firstValue("Retry-After").orElse("0");
        return seconds.matches("[0-9]{1,4}") ? Duration.ofSeconds(Long.parseLong(seconds)) : Duration.ZERO;
    }

    /** The first string field of this name. Your platform has a JSON library; use that instead. */
    private static String field(String json, String name) {
        Matcher matcher = Pattern.compile("\"" + name + "\"\\s*:\\s*\"([a-z_]+)\"").matcher(json);
        return matcher.find() ? matcher.group(1) : "";
    }

    /**
     * Submits the rating on standard input and prints what came of it.
     *
     * <p>{@code ZHENPING_TOKEN=zp_… java ZhenpingClient.java http://127.0.0.1:8080/ < rating.json}
     */
    public static void main(String[] arguments) throws Exception {
        String token = System.getenv("ZHENPING_TOKEN");
        if (arguments.length != 1 || token == null) {
            System.err.println("usage: ZHENPING_TOKEN=… java ZhenpingClient.java URL < rating.json");
            System.exit(2);
        }
        ZhenpingClient client = new ZhenpingClient(URI.create(arguments[0]), token, Duration.ofSeconds(5));
        String rating = new String(System.in.readAllBytes(), StandardCharsets.UTF_8);
        Answer answer = client.submit(rating);
        if (answer instanceof Verdict verdict) {
            System.out.println("decision: " + verdict.decision());
            if (verdict.json().contains("\"handling\":\"proceed\"")) {
                System.out.println("handling: proceed");
            }
        } else if (answer instanceof Refused refused) {
            System.out.println("refused: " + refused.status() + " " + refused.problem());
            System.exit(1);
        } else if (answer instanceof Later later) {
            System.out.println("later: " + later.why());
            System.exit(3);
        }
    }
}
