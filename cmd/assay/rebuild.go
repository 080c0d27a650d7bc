package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"assay/internal/app"
)

func (p *program) rebuildCommand() *cobra.Command {
	var allowLoss bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make everything above the log anew from it",
		Long: "Rebuild decodes and folds the whole log into new tables beside the old ones, and puts them in their place when they are\n" +
			"complete; until then the old ones stay as they are. Interrupted and started again, it goes on where it was. What the\n" +
			"registry said about promotions is kept, and dead letters that were lost are written again. It works on a data directory\n" +
			"that no server uses.",
		Example: "  assay rebuild --data D",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			meter := p.newMeter("rebuild")
			options := app.Options{Rebuilding: meter.show, AllowDataLoss: allowLoss, Regardless: true}
			return p.withOptions(cmd, options, func(ctx context.Context, opened *app.Pipeline) error {
				result, err := opened.Rebuild(ctx)
				meter.finish()
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(result)
				}
				fmt.Fprintf(p.stdout, "%d frames: %d traces, %d entities, %d shed, %d dead\n", result.Frames,
					result.Totals.Traces, result.Totals.Entities, result.Totals.Shed, result.Totals.Dead)
				if result.Asked > 0 {
					fmt.Fprintf(p.stdout, "%d promotions had no row that can be read, and wait again; run publishes them\n", result.Asked)
				}
				if result.Corrected > 0 {
					fmt.Fprintf(p.stdout, "%d rows of promotions said something else than the log, and were corrected\n", result.Corrected)
				}
				if result.LettersWritten+result.LettersErased > 0 {
					fmt.Fprintf(p.stdout, "%d dead letters were missing or others, and were written again; %d were erased\n",
						result.LettersWritten, result.LettersErased)
				}
				return nil
			})
		},
	}
	addSettings(cmd)
	const usage = "go on although the log no longer has all frames that the tables have rows of"
	cmd.Flags().BoolVar(&allowLoss, "allow-data-loss", false, usage)
	cmd.Flags().BoolVar(&allowLoss, "shorten", false, usage)
	_ = cmd.Flags().MarkDeprecated("shorten", "it is --allow-data-loss now, and goes with the next version") // it fails for a flag that there is not
	return cmd
}
