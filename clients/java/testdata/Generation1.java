import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.mlflow.api.proto.Service.GetExperiment;
import org.mlflow.tracking.MlflowClient;

/** A working day of the 1.x client, which lists experiments by a call that later servers dropped. */
final class Generation1 {
  public static void main(String[] args) {
    MlflowClient client = new MlflowClient(); // the address is in MLFLOW_TRACKING_URI
    String name = "java1";
    String id = Common.experiments(client, name);
    GetExperiment.Response e = client.getExperiment(id);
    Common.equal(e.getExperiment().getName(), name, "name");

    List<String> names = new ArrayList<>();
    client.listExperiments().forEach(x -> names.add(x.getName()));
    Common.equal(names.containsAll(Arrays.asList("java1", "java1 other")), true, "experiments " + names);

    Common.runs(client, id);
    Common.searches(client, id);
    Common.models(client, id, name);
  }
}
