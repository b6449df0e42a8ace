package AiProxyTest;

# What every test begins with: use lib 't/lib'; use AiProxyTest;

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use Test::More;

use Client;
use Gateway;
use Upstream;

our @EXPORT = qw(chat_body chat_answer chunk stream_events encode decode
    openai_usage claude_events claude_answer needs_module curl fixtures
    check_stream check_error done provider zone read_json);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

sub encode { return $json->encode($_[0]) }
sub decode { return eval { $json->decode($_[0]) } }

# Tests of the module fail, not skip, when there is none.
sub needs_module {
    BAIL_OUT('AI_PROXY_MODULE names no module (./run build prints its path)')
        unless Gateway::module() ne '' && -f Gateway::module();
}

# A provider block; more lines follow the three that each needs.
sub provider {
    my ($name, $type, $url, @lines) = @_;
    push @lines, "api_token sk-secret-$name;"
        unless grep { /^\s*api_token/ } @lines or $type eq 'mock'
            or $type eq 'ollama';
    unshift @lines, "base_url $url;" if defined $url;
    return "ai_proxy_provider $name {\n    type $type;\n"
        . join('', map { "    $_\n" } @lines) . "}\n";
}

sub zone { return "ai_proxy_zone ai 1m;\n" }

sub read_json { return decode(Gateway::slurp($_[0])) }

sub chat_body {
    my (%fields) = @_;
    return $json->encode({
        model => 'gpt-4o',
        messages => [{ role => 'user', content => 'private-prompt hello' }],
        %fields,
    });
}

sub openai_usage {
    return { prompt_tokens => 11, completion_tokens => 4, total_tokens => 15,
        prompt_tokens_details => { cached_tokens => 3 },
        completion_tokens_details => { reasoning_tokens => 2 } };
}

# A provider's plain answer in OpenAI's shape.
sub chat_answer {
    my ($text, %fields) = @_;
    return {
        id => 'chatcmpl-1', object => 'chat.completion', created => 1700000000,
        model => 'vendor-model',
        choices => [{ index => 0, finish_reason => 'stop',
            message => { role => 'assistant', content => $text } }],
        usage => openai_usage(), %fields,
    };
}

sub chunk {
    my ($delta, %more) = @_;
    return {
        id => 'chatcmpl-1', object => 'chat.completion.chunk',
        created => 1700000000, model => 'vendor-model',
        choices => [{ index => 0, delta => $delta,
            finish_reason => $more{finish} }],
    };
}

# A provider's whole stream in OpenAI's shape, a chunk per word.
sub stream_events {
    my ($text, %how) = @_;
    my @events = map { chunk({ content => $_ }) } $text =~ /\S+\s*/g;
    $events[0]{choices}[0]{delta}{role} = 'assistant' if @events;
    push @events, chunk({}, finish => 'stop') unless $how{no_finish};
    push @events, { %{ chunk({}) }, choices => [], usage => openai_usage() }
        unless $how{no_usage};
    push @events, '[DONE]' unless $how{no_done};
    return \@events;
}

sub claude_answer {
    my ($text) = @_;
    return { id => 'msg_1', type => 'message', role => 'assistant',
        model => 'claude-test', content => [{ type => 'text', text => $text }],
        stop_reason => 'end_turn', stop_sequence => undef,
        usage => { input_tokens => 8, cache_read_input_tokens => 3,
            cache_creation_input_tokens => 0, output_tokens => 4 } };
}

# The same as Anthropic's event stream, with the event lines.
sub claude_events {
    my ($text) = @_;
    my @events = (
        { type => 'message_start', message => { %{ claude_answer('') },
            content => [], stop_reason => undef,
            usage => { input_tokens => 8, cache_read_input_tokens => 3,
                cache_creation_input_tokens => 0, output_tokens => 1 } } },
        { type => 'content_block_start', index => 0,
            content_block => { type => 'text', text => '' } },
        (map { { type => 'content_block_delta', index => 0,
            delta => { type => 'text_delta', text => $_ } } }
            $text =~ /\S+\s*/g),
        { type => 'content_block_stop', index => 0 },
        { type => 'message_delta', delta => { stop_reason => 'end_turn',
            stop_sequence => undef }, usage => { output_tokens => 4 } },
        { type => 'message_stop' },
    );
    return [map { "raw:event: $_->{type}\ndata: " . encode($_) . "\n\n" }
        @events];
}

# The invariants of any stream that succeeds: chunks of the dialect, role
# first, one finish, [DONE] once and last, and the framing complete.
sub check_stream {
    my ($reply, $text, $name) = @_;
    my @events = Client::events($reply);
    my @done = grep { !ref && $_ eq '[DONE]' } @events;
    my @chunks = grep { ref eq 'HASH' } @events;
    my @finish = grep { defined } map { $_->{choices}[0]{finish_reason} }
        grep { @{ $_->{choices} // [] } } @chunks;
    my @wrong;
    push @wrong, "status $reply->{status}" if ($reply->{status} // 0) != 200;
    push @wrong, 'the body is not complete' unless $reply->{complete};
    push @wrong, 'content type '
        . (Client::header($reply, 'Content-Type') // 'none')
        if (Client::header($reply, 'Content-Type') // '')
            !~ m{^text/event-stream};
    push @wrong, @done . ' times [DONE]' if @done != 1;
    push @wrong, '[DONE] is not last' if @events && ref $events[-1];
    push @wrong, @finish . ' finish reasons' if @finish != 1;
    push @wrong, 'an error event' if grep { $_->{error} } @chunks;
    push @wrong, 'an object that is no chunk' if grep {
        ($_->{object} // '') ne 'chat.completion.chunk' } @chunks;
    my $got = Client::text($reply);
    push @wrong, "text \"$got\"" if defined $text && $got ne $text;
    ok(!@wrong, $name // 'the stream is right')
        or diag(join("\n", @wrong), "\n", substr $reply->{raw}, 0, 3000);
    return @events;
}

# An error in OpenAI's shape.
sub check_error {
    my ($reply, $status, $message, $name) = @_;
    my $error = (Client::json($reply) // {})->{error};
    my @wrong;
    push @wrong, 'status ' . ($reply->{status} // 'none')
        . ", not $status" if ($reply->{status} // 0) != $status;
    push @wrong, 'content type '
        . (Client::header($reply, 'Content-Type') // 'none')
        if (Client::header($reply, 'Content-Type') // '')
            !~ m{^application/json};
    if (ref $error ne 'HASH') {
        push @wrong, 'no error object';
    } else {
        push @wrong, "no $_ in it" for grep { !exists $error->{$_} }
            qw(message type param code);
        push @wrong, 'message "' . ($error->{message} // '') . '"'
            if defined $message && ($error->{message} // '') !~ $message;
    }
    ok(!@wrong, $name // "a $status of the gateway")
        or diag(join("\n", @wrong), "\n", substr $reply->{raw} // '', 0, 2000);
    return $error // {};
}

# curl as a second opinion: (exit status, output).
sub curl {
    my (@args) = @_;
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open my $pipe, '-|', 'curl', '-sS', '--max-time', 30, @args
        or die "curl: $!";
    local $/;
    my $out = <$pipe> // '';
    close $pipe;
    return ($? >> 8, $out);
}

# The folder of recorded exchanges.
sub fixtures {
    my $root = __FILE__ =~ s{t/lib/[^/]+$}{}r || './';
    for my $dir ($ENV{AI_PROXY_FIXTURES} // (),
        "$root../shared/fixtures/wire") {
        return Cwd::abs_path($dir) if -d $dir;
    }
    BAIL_OUT('no recorded exchanges: set AI_PROXY_FIXTURES');
}

# Ends a test: stops what it started, with their checks, then the plan.
sub done {
    my (@parts) = @_;
    $_->stop for grep { defined } @parts;
    done_testing();
}

1;
