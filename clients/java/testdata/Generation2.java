import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.mlflow.api.proto.ModelRegistry.ModelVersion;
import org.mlflow.api.proto.ModelRegistry.RegisteredModel;
import org.mlflow.api.proto.Service.Experiment;
import org.mlflow.api.proto.Service.ViewType;
import org.mlflow.tracking.MlflowClient;
import org.mlflow.tracking.Page;

/** A working day of the 2.x client. */
final class Generation2 {
  public static void main(String[] args) {
    try (MlflowClient client = new MlflowClient()) { // the address is in MLFLOW_TRACKING_URI
      String name = "java2";
      String id = Common.experiments(client, name);
      Experiment e = client.getExperiment(id);
      Common.equal(e.getName(), name, "name");
      Common.equal(e.getLifecycleStage(), "active", "stage");
      Common.equal(e.getTags(0).getKey() + "=" + e.getTags(0).getValue(), "team=größe", "tag");

      List<String> names = new ArrayList<>();
      Page<Experiment> page = client.searchExperiments("name LIKE 'java2%'", ViewType.ACTIVE_ONLY, 1, Collections.singletonList("name DESC"));
      page.getItems().forEach(x -> names.add(x.getName()));
      while (page.hasNextPage()) {
        page = page.getNextPage();
        page.getItems().forEach(x -> names.add(x.getName()));
      }
      Common.equal(names, Arrays.asList("java2 other", "java2"), "experiments found");
      Common.equal(client.searchExperiments("tags.team = 'größe'").getItems().size(), 1, "experiments with the tag");

      Common.runs(client, id);
      Common.searches(client, id);

      Common.models(client, id, name);
      RegisteredModel m = client.getRegisteredModel(name);
      Common.equal(m.getDescription(), "von Java", "description");
      Common.equal(m.getLatestVersionsCount(), 2, "latest versions of the model");
      ModelVersion v = client.getModelVersion(name, "3");
      Common.equal(v.getDescription(), "die dritte", "description");
      Common.equal(v.getStatus().name(), "READY", "status");
      Common.equal(v.getCreationTimestamp() > 1700000000000L, true, "creation " + v.getCreationTimestamp());
      Common.refused(() -> client.getModelVersion(name, "9"), "RESOURCE_DOES_NOT_EXIST");
      Common.refused(() -> client.getRegisteredModel("nobody's"), "RESOURCE_DOES_NOT_EXIST");

      List<String> versions = new ArrayList<>();
      Page<ModelVersion> found = client.searchModelVersions("name = 'java2'", 2, Collections.singletonList("version_number ASC"));
      found.getItems().forEach(x -> versions.add(x.getVersion()));
      Common.equal(found.hasNextPage(), true, "second page");
      found = found.getNextPage();
      found.getItems().forEach(x -> versions.add(x.getVersion()));
      Common.equal(versions, Arrays.asList("1", "2", "3"), "versions found");
    }
  }
}
