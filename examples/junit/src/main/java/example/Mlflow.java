package example;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The code that is tested: it notes runs at an MLflow server, and asks a model there for prices. */
final class Mlflow {
  private static final Pattern PREDICTION = Pattern.compile("\"predictions\"\\s*:\\s*\\[\\s*([-+.eE0-9]+)");

  private final HttpClient http = HttpClient.newHttpClient();
  private final String url;

  Mlflow(String url) {
    this.url = url;
  }

  /** The server's answer, a JSON document. */
  String createExperiment(String name) throws IOException, InterruptedException {
    return post("/api/2.0/mlflow/experiments/create", "{\"name\": \"" + name + "\"}");
  }

  /** The server's answer, a JSON document; a server in trouble is asked a second time. */
  String createRun(String experimentId) throws IOException, InterruptedException {
    String body = "{\"experiment_id\": \"" + experimentId + "\"}";
    try {
      return post("/api/2.0/mlflow/runs/create", body);
    } catch (IOException e) {
      return post("/api/2.0/mlflow/runs/create", body);
    }
  }

  double price(String model, int size) throws IOException, InterruptedException {
    String answer = post("/" + model + "/invocations", "{\"inputs\": [{\"size\": " + size + "}]}");
    Matcher matcher = PREDICTION.matcher(answer);
    if (!matcher.find()) {
      throw new IOException("no price in " + answer);
    }
    return Double.parseDouble(matcher.group(1));
  }

  private String post(String path, String body) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + path)).header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body)).build();
    HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new IOException("status " + response.statusCode() + ": " + response.body());
    }
    return response.body();
  }
}
